-- An entry of the queue for each job, as the service writes it; nobody is told of them.

ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER;

INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args)
SELECT queue, 'stemset.separate', id, jsonb_build_object('job_id', id) FROM jobs
ORDER BY created_at;

ALTER TABLE procrastinate_jobs ENABLE TRIGGER USER;
