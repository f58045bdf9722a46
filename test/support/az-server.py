"""Runs az's own commands, each in a process forked from one that has read az's modules already.

Reading them takes most of a command's processor time. What runs is Debian's az, unchanged, with its own
standard streams and exit code; nothing of one command is seen by another, but for az's own files.

    az-server.py FOLDER
    One connection to FOLDER/az.sock is one command: {"args": [...], "cwd": folder, "env": {...}} and a line end;
    the answer is {"exitCode": n, "stdout": text, "stderr": text}. It ends with its standard input, and FOLDER
    with it. Without an "env" a command has that of the server. What az's modules have read of theirs must be
    the same: a command with another folder of settings is refused.
"""

import importlib
import json
import os
import runpy
import select
import shutil
import socket
import sys

sys.path.insert(0, "/usr/lib/python3/dist-packages")
os.environ["AZ_INSTALLER"] = "DEB"
FIRST = ("azure.cli.core.commands.arm", "azure.cli.core.aaz", "azure.cli.core.auth.identity", "azure.mgmt.resource")
READ_ONCE = ("AZURE_CONFIG_DIR", "PYTHONPATH")


def main(folder):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.join(folder, "az.sock"))
    listener.listen(64)
    for name in FIRST:
        importlib.import_module(name)
    news = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    groups = set()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        ready, _, _ = select.select([listener, news[0], sys.stdin], [], [])
        if sys.stdin in ready:
            shutil.rmtree(folder)
            return
        if listener in ready:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                answer(connection, groups, news[1])
                os._exit(0)
            connection.close()
        elif news[0] in ready:
            group, names = json.loads(news[0].recv(1 << 20))
            if group not in groups:
                groups.add(group)
                read_modules(names)
        reap()


def answer(connection, groups, news):
    asked = json.loads(connection.makefile().readline())
    args, environment = asked["args"], asked.get("env", dict(os.environ))
    os.chdir(asked["cwd"])
    out, err = os.memfd_create("stdout"), os.memfd_create("stderr")
    child = os.fork()
    if child == 0:
        run(args, environment, out, err, None if args[0] in groups else news)
    _, status = os.waitpid(child, 0)
    text = {name: content(file) for name, file in (("stdout", out), ("stderr", err))}
    connection.sendall(json.dumps({"exitCode": os.waitstatus_to_exitcode(status), **text}).encode())


def run(args, environment, out, err, news):
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.argv = ["az", *args]
    code = 1
    try:
        if any(environment.get(name) != os.environ.get(name) for name in READ_ONCE):
            raise RuntimeError(f"az-server.py was started with another {' or '.join(READ_ONCE)}")
        os.environ.clear()
        os.environ.update(environment, AZ_INSTALLER="DEB")
        runpy.run_module("azure.cli", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            if news is not None:
                news.send(json.dumps([args[0], [name for name in sys.modules if name.startswith("azure.")]]).encode())
        finally:
            os._exit(code)


def read_modules(names):
    """What the first command of a group needed, the next one finds here."""
    for name in names:
        if name == "azure.cli.__main__" or name in sys.modules:
            continue
        try:
            importlib.import_module(name)
        except Exception:  # made by az itself as it runs
            pass


def content(file):
    os.lseek(file, 0, os.SEEK_SET)
    with os.fdopen(file, encoding="utf-8", errors="replace") as text:
        return text.read()


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


main(sys.argv[1])
