-- A ledger with :count jobs: the newest :waiting wait, nearly all others are complete, some failed.

INSERT INTO recordings (sha256, name, filename, bytes, duration_s, rate_hz, channels, is_proven,
                        owner, created_at)
SELECT encode(sha256(n::text::bytea), 'hex'), 'Take ' || n, 'take ' || n || '.wav', 50000000, 260,
       48000, 2, true, 'local', now() - n * interval '1 minute'
FROM generate_series(1, :count / 10) AS n;

INSERT INTO jobs (id, sha256, filename, input_key, profile, output_name, strategy_name, strategy,
                  output, fingerprint, queue, owner, state, progress, created_at, started_at,
                  ended_at, stems, error)
SELECT md5(n::text), encode(sha256((1 + n % (:count / 10))::text::bytea), 'hex'),
       'take ' || n || '.wav', 'inputs/band/take ' || n || '.wav', 'band', 'take_' || n,
       'spleeter-2stems', '{"_": "spleeter-2stems"}', '{"format": "opus"}', md5('f'), 'local',
       'local', state, CASE state WHEN 'complete' THEN 1 ELSE 0.5 END,
       now() - n * interval '6 seconds', now() - n * interval '6 seconds',
       CASE state WHEN 'queued' THEN NULL ELSE now() END,
       CASE state WHEN 'complete' THEN '["vocals", "accompaniment"]'::jsonb END,
       CASE state WHEN 'error' THEN
           '{"code": "separation_failed", "detail": "It failed.", "retryable": false}'::jsonb END
FROM (SELECT n, CASE WHEN n <= :waiting THEN 'queued' WHEN n % 50 = 0 THEN 'error' ELSE 'complete' END
                AS state FROM generate_series(1, :count) AS n) AS jobs;

INSERT INTO outputs (profile, output_name, id, sha256, job_id, state, metadata, completed_at)
SELECT profile, output_name, md5('output' || id), sha256, id, 'whole', '{}', now()
FROM jobs WHERE state = 'complete';

ANALYZE;
