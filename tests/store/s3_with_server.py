#!/usr/bin/env python3
"""Starts a real S3 server that checks signatures, then runs a program against it.

    s3_with_server.py TOOLS PROGRAM [ARGUMENT...]

The server is versitygw or moto (TOOLS/venv); CURIA_S3_SERVER names one of the two. `./dev s3` installs
them into TOOLS. Others are not taken: some versions of moto refuse good signatures. Exits with 77,
which is "skipped", where there is none.
The program finds in its environment CURIA_S3_{SERVER,ENDPOINT,ID,SECRET,BUCKET}.
"""
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import time

BUCKET = "curia-test"
PATIENCE = 30  # seconds for a server to come up, which only guards against hanging

MOTO = r"""
import json, os, sys
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "3"  # the user, its key, its policy; then all is checked
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
import threading
WSGIRequestHandler.protocol_version = "HTTP/1.1"
WSGIRequestHandler.log_request = lambda *unused: None
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
import boto3
def client(name, id, secret):
    return boto3.client(name, endpoint_url=f"http://127.0.0.1:{server.server_port}",
                        region_name="us-east-1", aws_access_key_id=id, aws_secret_access_key=secret)
iam = client("iam", "none", "none")
iam.create_user(UserName="curia")
key = iam.create_access_key(UserName="curia")["AccessKey"]
iam.put_user_policy(UserName="curia", PolicyName="all", PolicyDocument=json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}))
client("s3", key["AccessKeyId"], key["SecretAccessKey"]).create_bucket(Bucket=sys.argv[1])
print(server.server_port, key["AccessKeyId"], key["SecretAccessKey"], flush=True)
sys.stdin.read()
"""


def versitygw(tools):
    return shutil.which("versitygw", path=str(tools))


def moto(tools):
    return shutil.which("python", path=str(tools / "venv" / "bin"))


def listening_port(process):
    """The port a process listens on, as the kernel knows it."""
    inodes = set()
    for entry in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
        try:
            inodes.add(os.readlink(entry))
        except OSError:
            pass
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{process.pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                return int(fields[1].split(":")[1], 16)
    return None


def start_versitygw(program, folder):
    (folder / "data" / BUCKET).mkdir(parents=True)
    access, secret = "curia-test", secrets.token_hex(16)
    environment = {**os.environ, "ROOT_ACCESS_KEY": access, "ROOT_SECRET_KEY": secret}
    process = subprocess.Popen(
        [program, "--port", "127.0.0.1:0", "--virtual-domain", "localhost", "--keep-alive", "--quiet",
         "posix", str(folder / "data")], env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        port = listening_port(process)
        if port is not None:
            return process, port, access, secret
        time.sleep(0.02)
    process.kill()
    sys.exit("versitygw did not start")


def start_moto(python, folder):
    environment = {**os.environ, "HOME": str(folder)}
    for name in ("AWS_PROFILE", "AWS_CONFIG_FILE", "HTTP_PROXY", "http_proxy"):
        environment.pop(name, None)
    process = subprocess.Popen([python, "-c", MOTO, BUCKET], env=environment, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)  # a traceback for each anonymous request
    line = process.stdout.readline().split()
    if len(line) != 3:
        process.kill()
        sys.exit("moto did not start")
    return process, int(line[0]), line[1], line[2]


def main():
    tools, command = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    wanted = os.environ.get("CURIA_S3_SERVER", "")
    for name, find, start in (("versitygw", versitygw, start_versitygw), ("moto", moto, start_moto)):
        program = find(tools) if wanted in ("", name) else None
        if program is not None:
            break
    else:
        print(f"skipped: there is no S3 server to test against ({wanted or 'versitygw or moto'}); "
              "./dev s3 installs one")
        return 77
    with tempfile.TemporaryDirectory(prefix="curia-s3-") as folder:
        process, port, access, secret = start(program, pathlib.Path(folder))
        try:
            print(f"against {name}", file=sys.stderr, flush=True)
            environment = {**os.environ, "CURIA_S3_SERVER": name, "CURIA_S3_BUCKET": BUCKET,
                           "CURIA_S3_ENDPOINT": f"http://127.0.0.1:{port}", "CURIA_S3_ID": access,
                           "CURIA_S3_SECRET": secret}
            return subprocess.run(command, env=environment, check=False).returncode
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
