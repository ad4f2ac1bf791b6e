"""Run commands one by one, and tell what each cost: a small process, for what is started looks as large as its starter.

Linux counts the memory of the process that called exec to the peak of the program that it became. Each line of input
is a command, as JSON: words, environment, CPU seconds that each of its processes may take. Each line of output: status
(negative for a signal), CPU seconds, peak in bytes, what it said.
"""

import json
import os
import resource
import subprocess
import sys

for line in sys.stdin:
    argv, env, limit = json.loads(line)
    resource.setrlimit(
        resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY)
    )  # this process itself takes next to nothing
    process = subprocess.Popen(
        argv,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    cost = usage.ru_utime + usage.ru_stime
    sys.stdout.write(json.dumps([process.returncode, cost, usage.ru_maxrss << 10, said]) + "\n")
    sys.stdout.flush()
