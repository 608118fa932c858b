"""The worker: an HTTP process that takes one order at a time and has it carried out.

Enters: a signed order (``POST /process``). Leaves: a stream of its reports, held open for as long
as the work lasts, because a platform may put an instance to sleep that holds no request. The
computing is done by a process of its own (``orders.supervisor``), so health and cancelling are
answered while it works. ``app`` has the routes, ``attempts`` the one job and who follows it,
``serve`` the process.
"""
