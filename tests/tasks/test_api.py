"""Tasks through HTTP: shapes, views, paging, search, bad input, and attempts to get round the policy."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.agents import tokens
from tests.tasks.conftest import Clients
from tests.tasks.office import Office


def day(count: int) -> str:
    return (
        (datetime.now(UTC).replace(microsecond=0) + timedelta(days=count)).isoformat().replace("+00:00", "Z")
    )


async def titles(client: httpx.AsyncClient, **params: Any) -> list[str]:
    answer = await client.get("/tasks", params=params)
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json()["items"]]


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    body: dict[str, Any] = answer.json()
    assert body["code"] == code
    return body


async def test_the_life_of_a_task(office: Office, clients: Clients) -> None:
    """From a message to done, with a colleague who owns it, as the two of them see it."""
    anna, boris = clients["anna"], clients["boris"]
    dialog = await office.dialog(assignee_id=office.agents["anna"])
    message = await office.message(dialog)
    made = await anna.post(
        "/tasks", json={"owner_id": str(office.agents["boris"]), "message_ids": [str(message)]}
    )
    assert made.status_code == 201
    task = made.json()
    assert set(task) == {
        "id", "number", "title", "description", "status", "owner_id", "team_id", "deadline_at", "overdue",
        "created_by", "created_at", "finished_at", "dialogs", "message_ids",
    }  # fmt: skip
    assert task["title"] == "Where is my parcel?"
    assert task["message_ids"] == [str(message)]
    (ref,) = task["dialogs"]
    assert (ref["id"], ref["customer_name"]) == (str(dialog), "Clara")
    assert task["deadline_at"].endswith("Z")

    assert (await boris.get(f"/tasks/{task['id']}")).json() == task
    assert await titles(boris) == [task["title"]]
    assert (await boris.patch(f"/tasks/{task['id']}", json={"status": "in_progress"})).status_code == 200
    done = (await boris.patch(f"/tasks/{task['id']}", json={"status": "done"})).json()
    assert done["finished_at"]
    assert await titles(boris) == []
    assert await titles(boris, status="finished") == [task["title"]]
    assert [line["kind"] for line in await office.lines(dialog)] == ["task.created", "task.finished"]

    history = (await anna.get(f"/tasks/{task['id']}/facts")).json()
    assert [fact["type"] for fact in history["items"]] == ["task.created", "task.status", "task.status"]
    assert history["items"][2]["data"] == {"status": "done", "from": "in_progress"}
    assert history["items"][2]["actor"] == {"kind": "agent", "id": str(office.agents["boris"])}
    assert len({fact["cursor"] for fact in history["items"]}) == 3


async def test_links_over_http(office: Office, clients: Clients) -> None:
    anna = clients["anna"]
    task = await office.task()
    dialogs = [await office.dialog(), await office.dialog()]
    message = await office.message(dialogs[1])
    first = await anna.put(f"/tasks/{task.id}/dialogs/{dialogs[0]}")
    both = await anna.put(f"/tasks/{task.id}/messages/{message}")
    assert [ref["id"] for ref in first.json()["dialogs"]] == [str(dialogs[0])]
    assert [ref["id"] for ref in both.json()["dialogs"]] == [str(id) for id in dialogs]
    assert both.json()["message_ids"] == [str(message)]
    assert (await anna.delete(f"/tasks/{task.id}/messages/{message}")).json()["message_ids"] == []
    assert len((await anna.delete(f"/tasks/{task.id}/dialogs/{dialogs[0]}")).json()["dialogs"]) == 1


# --- lists ----------------------------------------------------------------------------------


async def test_the_views(office: Office, clients: Clients) -> None:
    boris, sales = office.agents["boris"], office.teams["sales"]
    await office.task("anna", title="own")
    await office.task("anna", title="given", owner_id=boris)
    await office.task("root", title="sales", team_id=sales, deadline_at=datetime(2026, 1, 5, tzinfo=UTC))
    await office.task("root", title="root's")
    await office.task("sergey", title="sergey's")
    seen = {
        (name, view): set(await titles(client, view=view))
        for name, client in clients.items()
        for view in ("mine", "created", "team", "overdue", "all")
    }
    assert seen["anna", "mine"] == {"own"}
    assert seen["anna", "created"] == {"own", "given"}
    assert seen["anna", "team"] == {"sales"}
    assert seen["anna", "overdue"] == {"sales"}
    assert seen["anna", "all"] == {"own", "given", "sales"}
    assert seen["boris", "all"] == seen["boris", "mine"] == {"given"}
    assert seen["boris", "overdue"] == set()
    assert seen["lena", "team"] == {"sales"}
    assert seen["lena", "all"] == {"own", "given", "sales", "sergey's"}
    assert seen["root", "all"] == {"own", "given", "sales", "root's", "sergey's"}
    assert all(not seen["max", view] for view in ("mine", "created", "team", "overdue", "all"))


async def test_the_nearest_deadline_comes_first_and_what_was_finished_last(
    office: Office, clients: Clients
) -> None:
    anna = clients["anna"]
    made = [await office.task(title=f"in {count} days", deadline_at=day(count)) for count in (3, 1, 2)]
    assert await titles(anna) == ["in 1 days", "in 2 days", "in 3 days"]
    for task in made:
        await anna.patch(f"/tasks/{task.id}", json={"status": "done"})
    assert await titles(anna, status="finished") == ["in 2 days", "in 1 days", "in 3 days"]
    assert await titles(anna, status="any") == ["in 1 days", "in 2 days", "in 3 days"]


@pytest.mark.parametrize("status", ["unfinished", "finished", "any"])
async def test_pages_hold_everything_once_though_deadlines_are_the_same(
    office: Office, clients: Clients, status: str
) -> None:
    anna = clients["anna"]
    made = [await office.task(title=f"no. {i}", deadline_at=day(1 + i % 2)) for i in range(7)]
    if status == "finished":
        for task in made:
            await anna.patch(f"/tasks/{task.id}", json={"status": "cancelled"})
    whole = await titles(anna, status=status)
    assert len(set(whole)) == 7
    found, cursor = [], None
    for _ in range(4):
        params = {"status": status, "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await anna.get("/tasks", params=params)).json()
        found += [task["title"] for task in page["items"]]
        cursor = page["next"]
    assert cursor is None
    assert found == whole


async def test_tasks_of_a_dialog_and_of_a_customer(office: Office, clients: Clients) -> None:
    anna, customer = clients["anna"], await office.customer()
    old, current = await office.dialog(customer, status="closed"), await office.dialog(customer)
    await office.task(title="late", dialog_ids=[current], deadline_at=day(9))
    await office.task(title="soon", dialog_ids=[current], deadline_at=day(1), owner_id=office.agents["boris"])
    await office.task(title="old", dialog_ids=[old], deadline_at=day(5))
    await office.task(title="other", dialog_ids=[await office.dialog()])
    assert await titles(anna, view="all", dialog_id=current) == ["soon", "late"]
    assert await titles(anna, view="all", customer_id=customer) == ["soon", "old", "late"]


async def test_search_by_title_and_number(office: Office, clients: Clients) -> None:
    anna = clients["anna"]
    task = await office.task(title="Посылка 100% не пришла")
    await office.task(title="Invoice")
    await office.task("boris", title="Посылка Бориса")
    for words in ("посылка", "ПОСЫЛКА", "100%", str(task.number), f"#{task.number}", f"№ {task.number}"):
        assert await titles(anna, view="all", q=words) == [task.title], words
    for words in ("%%", "_", "nothing", "99999999999999999999999", "²"):
        found = await titles(anna, view="all", q=words)
        assert found in ([], [task.title, "Invoice"]), words


# --- bad input ------------------------------------------------------------------------------


BAD_TASKS: list[Any] = [
    {},
    {"title": ""},
    {"title": "a\x00b"},
    {"title": "x" * 301},
    {"title": 5},
    {"title": "x", "description": "x" * 20_001},
    {"title": "x", "deadline_at": "tomorrow"},
    {"title": "x", "deadline_at": "2026-12-01T08:00:00"},
    {"title": "x", "deadline_at": "0001-01-01T00:00:00+14:00"},
    {"title": "x", "deadline_at": "9999-12-31T23:59:59-14:00"},
    {"title": "x", "owner_id": "me"},
    {"title": "x", "dialog_ids": ["x"]},
    {"title": "x", "dialog_ids": [str(uuid4())] * 21},
    {"title": "x", "status": "done"},
    {"title": "x", "number": 1},
    [],
    "x",
]


async def test_bad_tasks_are_refused_and_leave_nothing(office: Office, clients: Clients) -> None:
    for body in BAD_TASKS:
        answer = await clients["anna"].post("/tasks", json=body)
        assert answer.status_code in (400, 422), body
        assert answer.json()["code"] in ("invalid", "malformed"), body
        assert answer.json()["errors"], body
    assert not await office.facts()


BAD_CHANGES: list[dict[str, Any]] = [
    {"title": None},
    {"title": "  "},
    {"status": None},
    {"status": "late"},
    {"owner_id": None},
    {"deadline_at": None},
    {"description": None},
    {"finished_at": "2026-12-01T08:00:00Z"},
]


async def test_bad_changes_are_refused(office: Office, clients: Clients) -> None:
    task = await office.task(team_id=office.teams["sales"])
    for body in BAD_CHANGES:
        problem(await clients["anna"].patch(f"/tasks/{task.id}", json=body), 422, "malformed")
    assert await office.facts("task.changed", "task.status") == []
    assert (await clients["anna"].patch(f"/tasks/{task.id}", json={"team_id": None})).json()[
        "team_id"
    ] is None


async def test_markup_is_kept_as_text(clients: Clients) -> None:
    title = "<script>alert('1')</script> & <b>"
    made = (await clients["anna"].post("/tasks", json={"title": title, "description": title})).json()
    assert (made["title"], made["description"]) == (title, title)


async def test_foreign_cursors_are_refused(office: Office, clients: Clients) -> None:
    task = await office.task()
    for cursor in ("x", "bnVsbA", "WzEsMl0", "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwiYSJd", "é"):
        for path in ("/tasks", f"/tasks/{task.id}/facts"):
            problem(await clients["anna"].get(path, params={"cursor": cursor}), 400, "invalid")


async def test_the_same_key_makes_one_task(clients: Clients) -> None:
    headers = {"Idempotency-Key": "once-and-only-once"}
    answers = [
        await clients["anna"].post("/tasks", json={"title": "Once"}, headers=headers) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert await titles(clients["anna"]) == ["Once"]


async def test_nobody_gets_in_without_a_token(office: Office, clients: Clients) -> None:
    task = await office.task()
    for method, path in (("GET", "/tasks"), ("GET", f"/tasks/{task.id}"), ("PATCH", f"/tasks/{task.id}")):
        answer = await clients["anna"].request(method, path, headers={"Authorization": "Bearer no"}, json={})
        problem(answer, 401, "unauthenticated")


# --- getting round the policy ---------------------------------------------------------------


async def test_a_foreign_task_is_like_none_at_every_endpoint(office: Office, clients: Clients) -> None:
    """Boris and Max try everything on Anna's task; an unknown id gives the very same answers."""
    dialog = await office.dialog(assignee_id=office.agents["anna"])
    message = await office.message(dialog)
    task = await office.task(dialog_ids=[dialog])
    own = {name: await office.dialog(assignee_id=office.agents[name]) for name in ("boris", "max")}
    before = len(await office.facts())
    for name, mine in own.items():
        client, my_message = clients[name], await office.message(mine)
        for id in (task.id, uuid4()):
            for method, path, body in (
                ("GET", f"/tasks/{id}", None),
                ("GET", f"/tasks/{id}/facts", None),
                ("PATCH", f"/tasks/{id}", {"owner_id": str(office.agents[name])}),
                ("PATCH", f"/tasks/{id}", {}),
                ("PUT", f"/tasks/{id}/dialogs/{mine}", None),
                ("DELETE", f"/tasks/{id}/dialogs/{dialog}", None),
                ("PUT", f"/tasks/{id}/messages/{my_message}", None),
                ("DELETE", f"/tasks/{id}/messages/{message}", None),
            ):
                problem(await client.request(method, path, json=body), 404, "not_found")
        for params in ({"dialog_id": dialog}, {"customer_id": (await office.get(dialog)).customer_id}):
            problem(await client.get("/tasks", params=params), 404, "not_found")
        for view in ("mine", "created", "team", "overdue", "all"):
            assert await titles(client, view=view, status="any") == []
            assert await titles(client, view=view, status="any", q=str(task.number)) == []
    assert len(await office.facts()) == before


async def test_nobody_lets_himself_into_a_dialog_by_a_task(office: Office, clients: Clients) -> None:
    dialog = await office.dialog(assignee_id=office.agents["anna"])
    message = await office.message(dialog)
    task = await office.task("boris")
    boris = clients["boris"]
    for values in ({"dialog_ids": [str(dialog)]}, {"message_ids": [str(message)]}):
        problem(await boris.post("/tasks", json={"title": "Let me in", **values}), 404, "not_found")
    problem(await boris.put(f"/tasks/{task.id}/dialogs/{dialog}"), 404, "not_found")
    problem(await boris.put(f"/tasks/{task.id}/messages/{message}"), 404, "not_found")
    assert (await office.get(dialog)).task_count == 0
    assert "Clara" not in (await boris.get("/tasks", params={"view": "all"})).text


async def test_who_sees_one_dialog_of_a_task_learns_nothing_of_the_other(
    office: Office, clients: Clients
) -> None:
    clara = await office.dialog(await office.customer("Clara"), assignee_id=office.agents["boris"])
    nora = await office.dialog(await office.customer("Nora"), assignee_id=office.agents["anna"])
    task = await office.task("root", dialog_ids=[clara, nora])
    boris, message = clients["boris"], await office.message(nora)
    for answer in (
        await boris.get(f"/tasks/{task.id}"),
        await boris.get("/tasks", params={"view": "all"}),
        await boris.patch(f"/tasks/{task.id}", json={"description": "I look into it"}),
        await boris.get(f"/tasks/{task.id}/facts"),
    ):
        assert answer.status_code == 200
        assert "Nora" not in answer.text
    problem(await boris.get("/tasks", params={"dialog_id": nora}), 404, "not_found")
    problem(await boris.delete(f"/tasks/{task.id}/dialogs/{nora}"), 404, "not_found")
    problem(await boris.put(f"/tasks/{task.id}/messages/{message}"), 404, "not_found")


async def test_a_token_that_may_only_read_changes_nothing(office: Office, clients: Clients) -> None:
    task = await office.task()
    async with office.db.transaction() as session:
        _, text = await tokens.issue(session, agent_id=office.agents["anna"], name="r", scopes=["read"])
    headers = {"Authorization": f"Bearer {text}"}
    assert (await clients["anna"].get(f"/tasks/{task.id}", headers=headers)).status_code == 200
    answer = await clients["anna"].patch(f"/tasks/{task.id}", json={"title": "x"}, headers=headers)
    problem(answer, 403, "forbidden")


async def test_the_document_describes_every_operation(clients: Clients) -> None:
    document = (await clients["anna"].get("/openapi.json")).json()
    found = {
        operation["operationId"]
        for path, methods in document["paths"].items()
        if path.startswith("/api/v1/tasks")
        for operation in methods.values()
    }
    assert found == {
        "task_list", "task_create", "task_get", "task_update", "task_dialog_add", "task_dialog_remove",
        "task_message_add", "task_message_remove", "task_facts",
    }  # fmt: skip
