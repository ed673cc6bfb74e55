"""Makes supervisord.conf files at random and says, by supervisor's own reader, where each process logs."""
import json, os, random, sys, warnings
warnings.simplefilter("ignore")
base, rounds = sys.argv[1], int(sys.argv[2])
os.environ.clear()
os.environ.update({"PATH": "/usr/bin:/bin", "ENV_A": "x", "STAGE": "live"})
os.chdir("/")
from supervisor.options import ServerOptions, make_namespec
from supervisor.datatypes import Automatic

random.seed(20261121)
NAMES = ["web", "worker", "beat", "a-b", "x_1"]
FILES = ["%(here)s/{n}.log", "/tmp/{n};x.log ;c", "/tmp/%(program_name)s.log", "/tmp/%(program_name)s-%%d.log", "NONE", "none", "OFF", "AUTO", "auto",
         "syslog", "SysLog", "/tmp/%(group_name)s_%(process_num)02d.log", "/tmp/%(ENV_STAGE)s # c", "/tmp/%(ENV_MINE)s.log", "/tmp/{n}.log\n  ",
         "/tmp/%%(process_num)s.log", "/tmp/../tmp//{n}.log", "/dev/stdout", "/tmp/%(numprocs)d:x", "/tmp/a b #c"]
SIZES = ["0", "1KB", "50MB", "2gb", "17", ""]


def pick(items):
    return random.choice(items)


def program(name, kind="program"):
    lines = ["[%s:%s]" % (kind, name), pick(["command=/bin/sleep 1", "command = /bin/sh -c 'a; b' ;x", "COMMAND: /bin/true"])]
    if kind == "eventlistener":
        lines.append("events=TICK_5")
    if random.random() < 0.5:
        n = pick(["1", "2", "3"])
        lines += ["numprocs=" + n, "process_name=%(program_name)s_%(process_num)02d"]
        if random.random() < 0.3:
            lines.append("numprocs_start = 4")
    for stream in ("stdout", "stderr"):
        if random.random() < 0.8:
            key = pick(["%s_logfile=%s", "%s_logfile = %s", "%s_logfile: %s", "%s_LogFile=%s"])
            if kind != "program" and stream == "stdout":
                continue
            lines.append(key % (stream, pick(FILES).format(n=name)))
        size = pick(SIZES)
        if size and random.random() < 0.6:
            lines.append("%s_logfile_maxbytes=%s" % (stream, size))
    if kind == "program" and random.random() < 0.3:
        lines.append("redirect_stderr=" + pick(["true", "FALSE", "1", "no"]))
    if random.random() < 0.5:
        lines.append(pick(["environment=MINE=m%(process_num)d", "environment=MINE=\"a,b\",B='c'", "environment=\n  MINE=z,\n  C=d"]))
    if random.random() < 0.2:
        lines.append(pick(["; a comment", "  ; continued comment", "# hash", "priority=%d" % random.randint(1, 1000), "user=root", "serverurl=AUTO"]))
    return "\n".join(lines) + "\n"


def made(number):
    here = os.path.join(base, "case%d" % number)
    os.makedirs(os.path.join(here, "conf.d"))
    names = random.sample(NAMES, random.randint(1, 4))
    own = names[: len(names) // 2]
    text = "[supervisord]\nlogfile=%(here)s/s.log\n"
    if random.random() < 0.4:
        text += "environment=" + pick(["MINE=common", "MINE=\"q\",OTHER=r"]) + "\n"
    if random.random() < 0.3:
        text += "directory=/tmp\n"
    for name in own:
        text += program(name)
    if random.random() < 0.5 and own:
        text += "[group:all]\nprograms=%s\n" % pick([",", " , "]).join(own)
    if random.random() < 0.3:
        text += program("listen", "eventlistener")
    if random.random() < 0.3:
        text += "[DEFAULT]\nstdout_logfile=%s\n" % pick(["/tmp/default.log", "%(here)s/d.log", "NONE"])
    text += "[include]\nfiles=%s\n" % pick(["conf.d/*.conf", "%(here)s/conf.d/*.conf none/*", "conf.d/a.conf  conf.d/[b-z]*.conf"])
    rest = names[len(own):]
    for index, name in enumerate(rest):
        with open(os.path.join(here, "conf.d", "%s.conf" % "abcd"[index]), "w") as out:
            out.write(program(name))
    with open(os.path.join(here, "conf.d", ".hidden.conf"), "w") as out:
        out.write("[program:hidden]\ncommand=x\nstdout_logfile=/tmp/hidden.log\n")
    file = os.path.join(here, "supervisord.conf")
    with open(file, "w") as out:
        out.write(text)
    return file


def logs(file):
    options = ServerOptions()
    options.realize(["-c", file])
    found = set()
    files = {}
    for group in options.process_group_configs:
        for process in group.process_configs:
            for stream in ("stdout", "stderr"):
                log = getattr(process, stream + "_logfile")
                rotates = "rotates" if getattr(process, stream + "_logfile_maxbytes") else "keeps"
                name = make_namespec(group.name, process.name)
                if getattr(process, stream + "_syslog"):
                    found.add("%s syslog " % name)
                if log is Automatic:
                    found.add("%s auto " % name)
                elif log is None:
                    if not (stream == "stderr" and process.redirect_stderr) and not getattr(process, stream + "_syslog"):
                        found.add("%s discard " % name)
                elif log in ("/dev/stdout", "/dev/stderr"):
                    found.add("%s stdio " % name)
                else:
                    base_dir = options.directory or "/"
                    # One file for both streams is one log; the first stream says whether it is rotated.
                    files.setdefault((name, os.path.normpath(os.path.join(base_dir, log))), rotates)
    found.update("%s %s %s" % (name, log, rotates) for (name, log), rotates in files.items())
    return sorted(found)


cases = []
for number in range(rounds):
    file = made(number)
    try:
        cases.append({"file": file, "logs": logs(file)})
    except (SystemExit, ValueError, AssertionError):
        pass
json.dump(cases, sys.stdout)
