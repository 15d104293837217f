"""Every sample end to end over HTTP, all of them in one host, as `make start` serves them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import HostProcess

pytestmark = pytest.mark.process

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


def tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_every_sample_loads(samples_host: HostProcess) -> None:
    assert "does not load" not in "\n".join(samples_host.output)
    samples = [path.parent for path in Path(__file__).parents[2].glob("samples/*/host.json")]
    assert len(samples) == 8
    assert all((sample / "README.md").is_file() for sample in samples)


def test_chaining_writes_a_report_of_its_own_sales(
    samples_host: HostProcess, tmp_path: Path
) -> None:
    report = tmp_path / "new" / "report.md"
    assert outcome(samples_host, "reports", {"report": str(report)}) == str(report)
    assert report.read_text().splitlines() == [
        "| product | total |",
        "|---|--:|",
        "| tea | 13.50 |",
        "| coffee | 9.60 |",
        "| cake | 5.75 |",
    ]


def test_the_backup_copies_a_tree_with_checksums(samples_host: HostProcess, tmp_path: Path) -> None:
    files = {f"many/{i:03}.bin": os.urandom(i) for i in range(250)}
    files |= {"empty": b"", "deep/er/größe ☃.txt": b"snow", "SHA256SUMS": b"not ours"}
    source = tree(tmp_path / "source", files)
    (source / "link").symlink_to(source / "empty")
    target = tmp_path / "target"

    output = outcome(samples_host, "backup", {"source": str(source), "target": str(target)})

    copies = {
        path.relative_to(target).as_posix(): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file()
    }
    assert copies == files
    assert (output["files"], output["bytes"]) == (len(files), sum(map(len, files.values())))
    lines = Path(output["checksums"]).read_text().splitlines()
    assert dict(line.split("  ", 1)[::-1] for line in lines) == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }


def test_the_backup_refuses_what_cannot_be_right(samples_host: HostProcess, tmp_path: Path) -> None:
    source = tree(tmp_path / "source", {"file": b"x"})
    refused = {
        "is not a folder": {"source": str(tmp_path / "missing"), "target": str(tmp_path / "t")},
        "must not be inside the source": {"source": str(source), "target": str(source / "in")},
        "must not be inside the target": {"source": str(source), "target": str(tmp_path)},
    }
    for reason, order in refused.items():
        status = samples_host.finished(started(samples_host, "backup", order))
        assert status["runtimeStatus"] == "Failed"
        assert reason in status["output"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_a_purchase_waits_for_its_decision(samples_host: HostProcess, tmp_path: Path) -> None:
    purchase = {"item": "a kettle", "price": 39.9, "outbox": str(tmp_path)}
    instance_id = started(samples_host, "purchases", purchase)
    samples_host.wait_for(
        instance_id, lambda status: status["customStatus"] == "Waiting for a decision"
    )
    assert "a kettle" in (tmp_path / f"{instance_id}.txt").read_text()

    decision = {"approved": True, "comment": "Enjoy!"}
    url = f"/api/purchases/{instance_id}/decision"
    assert samples_host.request("POST", url, decision).status == 202
    assert samples_host.finished(instance_id)["output"] == "Approved: Enjoy!"
    assert samples_host.request("POST", url, decision).status == 410
    assert samples_host.request("POST", "/api/purchases/none/decision", decision).status == 404


def test_a_purchase_is_refused_after_its_deadline(
    samples_host: HostProcess, tmp_path: Path
) -> None:
    purchase = {"item": "x", "price": 1, "hours_to_decide": 1e-6, "outbox": str(tmp_path)}
    assert outcome(samples_host, "purchases", purchase) == "Refused: nobody decided in time"


def test_the_monitor_sees_a_file_arrive(samples_host: HostProcess, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    instance_id = started(samples_host, "watches", {"path": str(path), "poll_seconds": 0.01})
    samples_host.wait_for(instance_id, lambda status: status["customStatus"] is not None)
    path.write_bytes(b"12345")
    output = samples_host.finished(instance_id)["output"]
    assert (output["has_arrived"], output["bytes"]) == (True, 5)
    assert output["looks"] >= 3


def test_the_monitor_gives_up_when_time_is_up(samples_host: HostProcess, tmp_path: Path) -> None:
    watch = {"path": str(tmp_path / "x"), "poll_seconds": 0.01, "expires_after_seconds": 0.03}
    assert outcome(samples_host, "watches", watch)["has_arrived"] is False


def test_the_saga_books_or_undoes_everything(samples_host: HostProcess, tmp_path: Path) -> None:
    trip = {"destination": "Oslo", "price": 480, "ledger": str(tmp_path / "good")}
    assert outcome(samples_host, "trips", trip)["booked"] is True
    assert [states(tmp_path / "good")[step] for step in ("flight", "hotel", "payment")] == [
        "booked",
        "booked",
        "booked",
    ]

    dear = {"destination": "Sydney", "price": 1800, "ledger": str(tmp_path / "bad")}
    output = outcome(samples_host, "trips", dear)
    assert output["booked"] is False
    assert "credit limit" in output["reason"]
    assert states(tmp_path / "bad") == {"flight": "cancelled", "hotel": "cancelled"}


def states(ledger: Path) -> dict[str, str]:
    entries = [json.loads(path.read_text()) for path in ledger.iterdir()]
    return {entry["step"]: entry["state"] for entry in entries}


def test_the_eternal_clean_up_goes_on_until_it_is_stopped(
    samples_host: HostProcess, tmp_path: Path
) -> None:
    tree(tmp_path, {"a.tmp": b"", "b.tmp": b"", "keep.txt": b""})
    work = {"folder": str(tmp_path), "older_than_seconds": -1, "every_seconds": 0.01}
    instance_id = started(samples_host, "clean-ups", work)
    samples_host.wait_for(instance_id, lambda status: status["customStatus"] == {"removed": 2})
    (tmp_path / "c.tmp").touch()
    samples_host.wait_for(instance_id, lambda status: status["customStatus"] == {"removed": 3})

    stop = f"{WEBHOOKS}/instances/{instance_id}/raiseEvent/stop"
    assert samples_host.request("POST", stop, None).status == 202
    assert samples_host.finished(instance_id)["output"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["keep.txt"]


def test_sub_orchestrations_count_the_words_of_each_folder(
    samples_host: HostProcess, tmp_path: Path
) -> None:
    tree(tmp_path, {"a.txt": b"one two", "in/b.md": b"three", "in/c.md": b"4 5 6", "no.bin": b"x"})
    output = outcome(samples_host, "word-counts", {"root": str(tmp_path)})
    assert output == {str(tmp_path): 2, str(tmp_path / "in"): 4, "total": 6}


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
