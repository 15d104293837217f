"""Every sample end to end over HTTP, all of them in one host, as `make start` serves them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import HostProcess, StartHost

pytestmark = pytest.mark.process

REPOSITORY = Path(__file__).resolve().parents[2]
WEBHOOKS = "/runtime/webhooks/durabletask"


def started(host: HostProcess, route: str, body: object) -> str:
    answer = host.request("POST", f"/api/{route}", body)
    assert answer.status == 202, answer.body
    instance_id: str = answer.json["id"]
    return instance_id


def outcome(host: HostProcess, route: str, body: object) -> Any:
    status = host.finished(started(host, route, body))
    assert status["runtimeStatus"] == "Completed", status
    return status["output"]


@pytest.fixture
def place(samples_root: Path, request: pytest.FixtureRequest) -> Path:
    """An empty folder that the samples may write to."""
    folder = samples_root / "build" / str(request.node.name)
    folder.mkdir(parents=True)
    return folder


def named(path: Path) -> str:
    """The path as the samples take it: below `build`, where `place` is."""
    parts = path.parts[path.parts.index("build") :]
    return "/".join(parts)


def tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_every_sample_loads(samples_host: HostProcess) -> None:
    assert "does not load" not in "\n".join(samples_host.output)
    samples = {path.parent for path in REPOSITORY.glob("samples/*/host.json")}
    assert {path.parent for path in REPOSITORY.glob("samples/*/README.md")} == samples


def test_chaining_writes_a_report_of_its_own_sales(samples_host: HostProcess, place: Path) -> None:
    report = place / "new" / "report.md"
    assert outcome(samples_host, "reports", {"report": named(report)}) == named(report)
    assert report.read_text().splitlines() == [
        "| product | total |",
        "|---|--:|",
        "| tea | 13.50 |",
        "| coffee | 9.60 |",
        "| cake | 5.75 |",
    ]


def test_accounts_take_each_amount_once(samples_host: HostProcess) -> None:
    for _ in range(3):
        assert samples_host.request("POST", "/api/accounts/ada/deposits", 50).status == 202
    moved = {"source": "ada", "target": "bob", "amount": 120}
    assert outcome(samples_host, "transfers", moved) == [30, 120]
    refused = samples_host.finished(started(samples_host, "transfers", moved))
    assert refused["runtimeStatus"] == "Failed"
    assert "120 cannot be taken from 30." in refused["output"]
    assert samples_host.request("GET", "/api/accounts/bob").json == 120
    assert samples_host.request("GET", "/api/accounts/eve").status == 404


def test_accounts_of_folders_are_locked_for_a_transfer(samples_host: HostProcess) -> None:
    account = f"{WEBHOOKS}/entities/E4_Account/ada"
    assert samples_host.request("POST", f"{account}?op=add", 100).status == 202
    order = {"source": "ada", "target": "bob", "amount": 30}
    for expected in ([70, 30], [40, 60], [10, 90]):
        answer = samples_host.request("POST", f"{WEBHOOKS}/orchestrators/E4_Transfer", order)
        assert samples_host.finished(answer.json["id"])["output"] == expected
    answer = samples_host.request("POST", f"{WEBHOOKS}/orchestrators/E4_Transfer", order)
    assert "30 cannot be taken from 10." in samples_host.finished(answer.json["id"])["output"]
    lock = samples_host.request("GET", f"{account}/lock").json
    assert lock == {"isLocked": False, "waiters": [], "waitingSignals": 0}


def test_a_post_reaches_the_feeds_of_all_followers_once(samples_host: HostProcess) -> None:
    readers = [f"reader{number}" for number in range(20)]
    for reader in readers:
        for _ in range(2):  # who follows twice follows once
            path = f"/api/authors/ada/followers/{reader}"
            assert samples_host.request("PUT", path).status == 202
    assert samples_host.request("DELETE", "/api/authors/ada/followers/reader19").status == 202
    assert samples_host.request("POST", "/api/authors/ada/posts", {"no": "text"}).status == 400
    for text in ("one", "two"):
        assert samples_host.request("POST", "/api/authors/ada/posts", text).status == 202
    expected = [
        {"author": "ada", "number": 2, "text": "two"},
        {"author": "ada", "number": 1, "text": "one"},
    ]
    for reader in readers[:-1]:
        while (feed := samples_host.request("GET", f"/api/feeds/{reader}").json) != expected:
            assert feed in ([], expected[1:]), feed
    assert samples_host.request("GET", "/api/feeds/reader19").json == []


def test_a_crawl_reads_each_page_under_its_limit(samples_host: HostProcess) -> None:
    titles = outcome(samples_host, "crawls", {"max_pages": 6})
    assert sorted(titles.values()) == [f"Page {number}" for number in range(6)]
    assert samples_host.request("POST", "/api/crawls", [1]).status == 400


def test_an_entity_of_a_folder_counts(samples_host: HostProcess) -> None:
    counter = f"{WEBHOOKS}/entities/e3_counter/visits"
    assert samples_host.request("POST", f"{counter}?op=add", 3).status == 202
    while samples_host.request("GET", counter).status == 404:
        pass
    assert samples_host.request("GET", counter).json == 3


def test_the_backup_copies_a_tree_with_checksums(samples_host: HostProcess, place: Path) -> None:
    files = {f"many/{i:03}.bin": os.urandom(i) for i in range(250)}
    files |= {"empty": b"", "deep/er/größe ☃.txt": b"snow", "SHA256SUMS": b"not ours"}
    source = tree(place / "source", files)
    (source / "link").symlink_to(source / "empty")
    target = place / "target"

    output = outcome(samples_host, "backup", {"source": named(source), "target": named(target)})

    copies = {
        path.relative_to(target).as_posix(): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file()
    }
    assert copies == files
    assert (output["files"], output["bytes"]) == (len(files), sum(map(len, files.values())))
    assert output["checksums"] == f"{named(target)}.sha256"
    lines = target.with_name("target.sha256").read_text().splitlines()
    assert dict(line.split("  ", 1)[::-1] for line in lines) == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }


def test_the_backup_refuses_what_cannot_be_right(samples_host: HostProcess, place: Path) -> None:
    source = tree(place / "source", {"file": b"x"})
    refused = {
        "is not a folder": {"source": named(place / "missing"), "target": named(place / "t")},
        "must not be inside the source": {"source": named(source), "target": named(source / "in")},
        "must not be inside the target": {"source": named(source), "target": named(place)},
    }
    for reason, order in refused.items():
        status = samples_host.finished(started(samples_host, "backup", order))
        assert status["runtimeStatus"] == "Failed"
        assert reason in status["output"]
    assert sorted(path.name for path in place.iterdir()) == ["source"]


def test_a_purchase_waits_for_its_decision(samples_host: HostProcess, place: Path) -> None:
    purchase = {"item": "a kettle", "price": 39.9, "outbox": named(place)}
    instance_id = started(samples_host, "purchases", purchase)
    samples_host.wait_for(
        instance_id, lambda status: status["customStatus"] == "Waiting for a decision"
    )
    assert "a kettle" in (place / f"{instance_id}.txt").read_text()

    decision = {"approved": True, "comment": "Enjoy!"}
    url = f"/api/purchases/{instance_id}/decision"
    assert samples_host.request("POST", url, decision).status == 202
    assert samples_host.finished(instance_id)["output"] == "Approved: Enjoy!"
    assert samples_host.request("POST", url, decision).status == 410
    assert samples_host.request("POST", "/api/purchases/none/decision", decision).status == 404


def test_a_purchase_is_refused_after_its_deadline(samples_host: HostProcess, place: Path) -> None:
    purchase = {"item": "x", "price": 1, "hours_to_decide": 1e-6, "outbox": named(place)}
    assert outcome(samples_host, "purchases", purchase) == "Refused: nobody decided in time"


def test_the_monitor_sees_a_file_arrive(samples_host: HostProcess, place: Path) -> None:
    path = place / "upload"
    instance_id = started(samples_host, "watches", {"path": named(path), "poll_seconds": 0.01})
    samples_host.wait_for(instance_id, lambda status: status["customStatus"] is not None)
    path.write_bytes(b"12345")
    output = samples_host.finished(instance_id)["output"]
    assert (output["has_arrived"], output["bytes"]) == (True, 5)
    assert output["looks"] >= 3


def test_a_job_is_watched_over_http(samples_host: HostProcess) -> None:
    """It takes the second that is the shortest pause between polls."""
    assert outcome(samples_host, "jobs", {"text": "hello", "seconds": 0.01}) == "HELLO!"
    instance_id = started(samples_host, "jobs", {"text": "x", "service": "http://10.0.0.1/"})
    status = samples_host.finished(instance_id)
    assert status["runtimeStatus"] == "Failed"
    assert "The address 10.0.0.1 is private" in status["output"]


def test_the_monitor_gives_up_when_time_is_up(samples_host: HostProcess, place: Path) -> None:
    watch = {"path": named(place / "x"), "poll_seconds": 0.01, "expires_after_seconds": 0.03}
    assert outcome(samples_host, "watches", watch)["has_arrived"] is False


def test_the_saga_books_or_undoes_everything(samples_host: HostProcess, place: Path) -> None:
    trip = {"destination": "Oslo", "price": 480, "ledger": named(place / "good")}
    assert outcome(samples_host, "trips", trip)["booked"] is True
    assert [states(place / "good")[step] for step in ("flight", "hotel", "payment")] == [
        "booked",
        "booked",
        "booked",
    ]

    dear = {"destination": "Sydney", "price": 1800, "ledger": named(place / "bad")}
    output = outcome(samples_host, "trips", dear)
    assert output["booked"] is False
    assert "credit limit" in output["reason"]
    assert states(place / "bad") == {"flight": "cancelled", "hotel": "cancelled"}


def states(ledger: Path) -> dict[str, str]:
    entries = [json.loads(path.read_text()) for path in ledger.iterdir()]
    return {entry["step"]: entry["state"] for entry in entries}


def test_the_eternal_clean_up_goes_on_until_it_is_stopped(
    samples_host: HostProcess, place: Path
) -> None:
    tree(place, {"a.tmp": b"", "b.tmp": b"", "keep.txt": b""})
    work = {"folder": named(place), "older_than_seconds": -1, "every_seconds": 0.01}
    instance_id = started(samples_host, "clean-ups", work)
    samples_host.wait_for(instance_id, lambda status: status["customStatus"] == {"removed": 2})
    (place / "c.tmp").touch()
    samples_host.wait_for(instance_id, lambda status: status["customStatus"] == {"removed": 3})

    stop = f"{WEBHOOKS}/instances/{instance_id}/raiseEvent/stop"
    assert samples_host.request("POST", stop, None).status == 202
    assert samples_host.finished(instance_id)["output"] == 3
    assert [path.name for path in place.iterdir()] == ["keep.txt"]


def test_sub_orchestrations_count_the_words_of_each_folder(
    samples_host: HostProcess, place: Path
) -> None:
    tree(place, {"a.txt": b"one two", "in/b.md": b"three", "in/c.md": b"4 5 6", "no.bin": b"x"})
    output = outcome(samples_host, "word-counts", {"root": named(place)})
    assert output == {named(place): 2, named(place / "in"): 4, "total": 6}


GREETINGS = ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]


def test_the_classic_sequence_starts_over_http(samples_host: HostProcess) -> None:
    assert outcome(samples_host, "orchestrators/E1_HelloSequence", None) == GREETINGS


def test_the_classic_sequence_starts_by_hand(samples_host: HostProcess) -> None:
    answer = samples_host.request(
        "POST", "/admin/functions/ManualStart", {"input": "started-by-hand"}
    )
    assert (answer.status, answer.body) == (202, b"")
    known = f"{WEBHOOKS}/instances/started-by-hand"
    while samples_host.request("GET", known).status == 404:
        pass
    assert samples_host.finished("started-by-hand")["output"] == GREETINGS


def test_the_classic_message_becomes_a_row(samples_host: HostProcess) -> None:
    for _ in range(2):
        message = {"id": "1", "city": "Tokyo"}
        assert samples_host.request("POST", "/admin/queues/greetings", message).status < 300
    while samples_host.request("GET", f"{WEBHOOKS}/instances/greeting-1").status == 404:
        pass
    assert samples_host.finished("greeting-1")["output"] == "Hello Tokyo!"
    found = samples_host.request("GET", "/api/greetings/Tokyo").json
    assert found == {"city": "Tokyo", "greetings": ["Hello Tokyo!"]}


def test_orders_are_written_found_and_billed(samples_host: HostProcess) -> None:
    for number, price in (("1", 12.5), ("2", 3)):
        order = {"RowKey": number, "price": price}
        assert samples_host.request("POST", "/api/orders/Ada", order).status == 201
    assert (
        samples_host.request("POST", "/api/orders/Ada", {"RowKey": "1", "price": 1}).status == 409
    )
    assert samples_host.request("POST", "/api/orders/Ada", {"price": "much"}).status == 400
    found = samples_host.request("GET", "/api/orders/Ada?from=10").json
    assert found == {"orders": ["1"], "sum": 12.5}
    assert samples_host.request("GET", "/api/orders/Ada/1").json["price"] == 12.5
    assert samples_host.request("GET", "/api/orders/Ada/3").status == 404
    bill = outcome(samples_host, "orders/Ada/1/bill", None)
    assert bill == "Dear Ada, please pay 12.50."
    assert outcome(samples_host, "orders/Ada/1/bill", None) == bill


ESCAPES = ["../x", "build/../../x", "/etc/hostname", "build/out/x", "build/.hidden/x", ".x", "a\0b"]
TAKEN: dict[str, tuple[str, dict[str, object]]] = {
    "reports": ("report", {"report": "build/r"}),
    "backup": ("target", {"source": "a", "target": "build/b"}),
    "purchases": ("outbox", {"item": "x", "price": 1}),
    "watches": ("path", {"path": "x"}),
    "trips": ("ledger", {"destination": "x", "price": 1}),
    "clean-ups": ("folder", {"folder": "build"}),
    "word-counts": ("root", {"root": "build"}),
}


@pytest.mark.parametrize("route", list(TAKEN))
def test_found_d12_paths_of_callers_lead_nowhere_else(
    samples_host: HostProcess, samples_root: Path, route: str
) -> None:
    (samples_root / "build").mkdir(exist_ok=True)
    if not (samples_root / "build" / "out").is_symlink():
        (samples_root / "build" / "out").symlink_to("/tmp")
    name, body = TAKEN[route]
    for path in [*ESCAPES, 5, ["x"]]:
        answer = samples_host.request("POST", f"/api/{route}", body | {name: path})
        assert answer.status == 400, (path, answer.body)
    assert samples_host.request("POST", f"/api/{route}", ["x"]).status == 400


@pytest.mark.parametrize("route", ["reports", "backup", "purchases", "trips", "clean-ups"])
def test_found_d12_nothing_is_written_beside_build(samples_host: HostProcess, route: str) -> None:
    name, body = TAKEN[route]
    for path in ("", ".", "samples/chaining/function_app.py", "builds"):
        answer = samples_host.request("POST", f"/api/{route}", body | {name: path})
        assert answer.status == 400, path


def test_found_d12_reading_is_confined_too(samples_host: HostProcess) -> None:
    for route, name in (("reports", "sales"), ("backup", "source")):
        for path in ("../x.csv", "/etc/passwd", ".funchost/keys.json"):
            body = {"report": "build/r", "target": "build/t", name: path}
            assert samples_host.request("POST", f"/api/{route}", body).status == 400


def test_found_d12_a_pattern_is_one_of_names(
    samples_host: HostProcess, samples_root: Path, place: Path
) -> None:
    keep = samples_root / "build" / "keep.me"
    keep.touch()
    work = {"folder": named(place), "older_than_seconds": -1, "every_seconds": 0.01}
    for pattern in ("../*", "../keep.me", "**/*", str(keep)):
        instance_id = started(samples_host, "clean-ups", work | {"pattern": pattern})
        samples_host.wait_for(instance_id, lambda status: status["customStatus"] is not None)
        stop = f"{WEBHOOKS}/instances/{instance_id}/raiseEvent/Stop"
        samples_host.request("POST", stop, None)
        assert samples_host.finished(instance_id)["output"] == 0
    assert keep.exists()


def test_found_d12_what_goes_round_the_starter_is_confined_too(
    samples_host: HostProcess, place: Path
) -> None:
    orders = {
        "make_report": {"report": "../x.md"},
        "back_up": {"source": "build", "target": "/tmp/never"},
        "await_file": {"path": "/etc/passwd"},
        "count_tree": "..",
    }
    for name, order in orders.items():
        url = f"{WEBHOOKS}/orchestrators/{name}"
        status = samples_host.finished(samples_host.request("POST", url, order).json["id"])
        assert (status["runtimeStatus"], "The path" in status["output"]) == ("Failed", True)


def test_found_d12_http_start_starts_only_what_it_names(samples_host: HostProcess) -> None:
    for name in ("make_report", "count_tree", "e1_hellosequence", "none"):
        assert samples_host.request("POST", f"/api/orchestrators/{name}", None).status == 404


def test_found_d12_on_a_host_with_keys_every_sample_asks_for_one(
    start_host: StartHost, tmp_path: Path
) -> None:
    host = start_host(REPOSITORY, "--keys", "--data", str(tmp_path), "--storage", "memory")
    routes = [*TAKEN, "orchestrators/E1_HelloSequence", "purchases/x/decision"]
    assert {host.request("POST", f"/api/{route}", {}).status for route in routes} == {401}


def test_found_d12_each_sample_keeps_its_paths_in_the_same_way() -> None:
    copies = {path.read_bytes() for path in REPOSITORY.glob("samples/*/confined_paths.py")}
    assert len(copies) == 1


def test_a_timer_run_by_hand_twice_for_one_due_time_starts_one_report(
    samples_host: HostProcess,
) -> None:
    for _ in range(2):
        answer = samples_host.request(
            "POST", "/admin/functions/every_workday", {"input": "2026-01-30T07:00:00Z"}
        )
        assert answer.status == 202
    status = samples_host.finished("report-20260130T070000Z")
    assert status["output"] == "2026-01-30: 488 visits"
    shown = samples_host.request("GET", "/admin/functions/every_workday").json
    assert shown["listener"]["schedule"] == "0 0 8 * * MON-FRI Europe/Berlin"
    assert samples_host.request("GET", "/admin/functions/PurgeOld").json["listener"]["nextDue"]


def test_blobs(samples_host: HostProcess, samples_root: Path) -> None:
    blobs = samples_root / "data" / "blobs"
    part = blobs / "sales" / ".monday.part"
    while not part.parent.is_dir():
        assert samples_host.request("GET", "/healthz").status == 200
    part.write_text("product,amount\ntea,4.5\ncoffee,much\ntea,1\n")
    os.utime(part, (0, 0))  # nobody has to wait until it is settled
    part.rename(part.with_name("monday.csv"))
    report = blobs / "reports" / "monday.txt"
    while not report.exists():
        assert samples_host.request("GET", "/healthz").status == 200
    assert report.read_text().split() == ["tea", "5.50"]
    assert (blobs / "refused" / "monday.csv").read_text() == "coffee,much"
    assert samples_host.request("GET", "/api/summaries/monday").json == {"tea": 5.5}
    assert samples_host.request("GET", "/api/summaries/tuesday").status == 404
