#!/usr/bin/env python3
"""How long documents take into one Meilisearch server, and through the gateway into three, and what that costs the gateway;
what a client's question after its task costs; and how soon a client's task ends after the nodes' tasks have.

    benches/ingest.py MEILISEARCH MIROIR [DOCUMENTS]     # programs; 64000 documents, 28 MB of NDJSON

The client asks for its task four times a second while documents go in, so that its questions cost the gateway little.
"""
import datetime
import http.client
import json
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

KEY = "a-key-for-this-run"
meilisearch, miroir = sys.argv[1:3]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 64_000
work = tempfile.mkdtemp(prefix="miroir-ingest-")
processes = []


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(method, url, body=None, kind="application/json"):
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": kind}
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=900) as answer:
        return json.load(answer)


def start(command, url):
    process = subprocess.Popen(command, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    processes.append(process)
    for _ in range(300):
        try:
            ask("GET", url + "/health")
            return process
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{command[0]} does not answer")


def start_node(name):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [meilisearch, "--http-addr", url[7:], "--master-key", KEY, "--db-path", f"{work}/{name}", "--no-analytics"]
    start(command, url)
    return url


def start_gateway(nodes):
    port, admin = free_port(), free_port()
    config = {
        "server": {"listen": [{"address": f"127.0.0.1:{port}"}]},
        "admin": {"address": f"127.0.0.1:{admin}"},
        "master_key": KEY,
        "log": {"directory": f"{work}/log"},
        "cluster": {
            "nodes": [{"name": f"n{n}", "url": url, "key": KEY, "group": "g"} for n, url in enumerate(nodes)]
        },
    }
    with open(f"{work}/miroir.yaml", "w") as file:
        json.dump(config, file)
    url = f"http://127.0.0.1:{port}"
    return url, start([miroir, "serve", "--config", f"{work}/miroir.yaml"], url)


def ended(url, task, pause):
    """Asks as clients do, on one connection."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    while True:
        connection.request("GET", f"/tasks/{task}", headers={"Authorization": f"Bearer {KEY}"})
        view = json.load(connection.getresponse())
        if view["status"] not in ("enqueued", "processing"):
            assert view["status"] == "succeeded", view
            connection.close()
            return view
        time.sleep(pause)


def documents():
    random.seed(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(random.choices(letters, k=random.randint(3, 10))) for _ in range(20_000)]
    text = lambda length: " ".join(random.choices(words, k=length))
    for number in range(count):
        document = {"id": number, "title": text(5), "overview": text(45), "genres": [text(1), text(1)]}
        yield json.dumps(document | {"year": random.randint(1950, 2024)})


def load(url, body, accepted=lambda: None):
    ended(url, ask("POST", url + "/indexes", b'{"uid":"films","primaryKey":"id"}')["taskUid"], 0.05)
    begin = time.time()
    task = ask("POST", url + "/indexes/films/documents", body, "application/x-ndjson")["taskUid"]
    accepted()
    ended(url, task, 0.25)
    return time.time() - begin


def question(url, process):
    """Microseconds of CPU time that the gateway spends on a client's question after its task, on a kept connection."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    before, times = cpu_seconds(process), 3_000
    for _ in range(times):
        connection.request("GET", "/tasks/1", headers={"Authorization": f"Bearer {KEY}"})
        connection.getresponse().read()
    return (cpu_seconds(process) - before) / times * 1e6


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def moment(text):
    seconds, _, fraction = text.rstrip("Z").partition(".")
    return datetime.datetime.fromisoformat(seconds + "+00:00").timestamp() + float("0." + (fraction or "0"))


def completion(url, nodes):
    """Milliseconds from the end of the last node's task to the end of the client's, of single documents."""
    late = []
    for number in range(100):
        body = json.dumps([{"id": 10_000_000 + number}]).encode()
        view = ended(url, ask("POST", url + "/indexes/films/documents", body)["taskUid"], 0.01)
        last = max(ask("GET", node + "/tasks?limit=1")["results"][0]["finishedAt"] for node in nodes)
        late.append((moment(view["finishedAt"]) - moment(last)) * 1_000)
    late.sort()
    return late[len(late) // 2], late[len(late) * 9 // 10]


try:
    body = "\n".join(documents()).encode()
    alone = load(start_node("alone"), body)
    node = processes.pop()
    node.kill()
    node.wait()
    nodes = [start_node(f"n{number}") for number in range(3)]
    gateway, process = start_gateway(nodes)
    marks = [cpu_seconds(process)]
    spread = load(gateway, body, lambda: marks.append(cpu_seconds(process)))
    marks.append(cpu_seconds(process))
    print(f"{count} documents, {len(body) / 1e6:.1f} MB")
    print(f"into one server {alone:.1f} s, through the gateway into three {spread:.1f} s: {spread / alone:.2f}")
    print(f"the gateway's CPU time {marks[2] - marks[0]:.2f} s, {marks[1] - marks[0]:.2f} s of it until the answer")
    print(f"a client's question after its task {question(gateway, process):.0f} us of CPU time")
    print("a client's task ends after the nodes' by %.1f ms (median), %.1f ms (p90)" % completion(gateway, nodes))
finally:
    for process in processes:
        process.kill()
        process.wait()
    shutil.rmtree(work, ignore_errors=True)
