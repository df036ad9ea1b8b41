"""One policy: as SQL and as keys of the feed the same, and no way round it by any door."""

import asyncio
import itertools
import random
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select

from app.agents import viewer as viewers
from app.agents.viewer import Viewer
from channels.base import File
from dialogs import access
from dialogs.models import Attachment, Dialog, DialogGuest, DialogGuestTeam
from tasks import access as task_access
from tasks.models import Task, TaskDialog
from tests.api.conftest import Client
from tests.dialogs.desk import Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- the policy, thrice ---------------------------------------------------------------------


async def people(desk: Desk) -> list[Viewer]:
    """Everybody, with leads and somebody in two teams and somebody in none."""
    world = desk.world
    ids = [world.admin.agent_id, desk.anna.agent_id, desk.boris.agent_id]
    for role, teams in (
        ("lead", (world.support,)),
        ("lead", (world.support, world.sales)),
        ("agent", (world.support, world.sales)),
        ("agent", ()),
        ("lead", ()),
    ):
        ids.append((await world.add_agent(f"p{uuid4().hex}", role=role, team_ids=teams)).agent_id)
    async with desk.db.transaction() as session:
        return [await viewers.load(session, id) for id in ids]


async def channels(desk: Desk) -> list[UUID]:
    """Served by support, by sales, by nobody."""
    found = [await desk.chat(team=team) for team in (desk.world.support, desk.world.sales)]
    lonely = await desk.chat()
    await desk.db.raw.execute("delete from channel_teams where channel_id = $1", lonely.id)
    return [*(chat.id for chat in found), lonely.id]


async def many_dialogs(desk: Desk, viewers: list[Viewer], channels: list[UUID]) -> list[UUID]:
    """Every assignee with every team on every channel, some with guests; all of one customer."""
    chance = random.Random(7)
    customer_id = await desk.value("insert into customers (name) values ('C') returning id")
    teams: list[UUID | None] = [None, desk.world.support, desk.world.sales]
    assignees = [None, *(viewer.agent_id for viewer in viewers)]
    made = []
    async with desk.db.transaction() as session:
        for assignee_id, team_id, channel_id in itertools.product(assignees, teams, channels):
            values = {"customer_id": customer_id, "channel_id": channel_id, "status": "closed"}
            row = (
                insert(Dialog).values(assignee_id=assignee_id, team_id=team_id, **values).returning(Dialog.id)
            )
            made.append(id := (await session.execute(row)).scalar_one())
            if chance.random() < 0.3:
                guest = chance.choice(viewers).agent_id
                session.add(DialogGuest(dialog_id=id, agent_id=guest, cause_id=uuid4()))
            if chance.random() < 0.2:
                session.add(DialogGuestTeam(dialog_id=id, team_id=chance.choice(teams[1:]), cause_id=uuid4()))
    return made


async def test_sql_and_keys_say_the_same_of_dialogs_and_tasks(desk: Desk) -> None:
    viewers, served = await people(desk), await channels(desk)
    dialogs = await many_dialogs(desk, viewers, served)
    tasks = await many_tasks(desk, viewers, dialogs)
    async with desk.db.transaction() as session:
        audiences = await access.audiences(session, dialogs)
        task_audiences = await task_access.audiences(session, tasks)
        sights = []
        for viewer in viewers:
            held = access.keys(viewer, channel_ids=await access.served_channels(session, viewer))
            query = select(Dialog.id).where(Dialog.id.in_(dialogs), access.visible(viewer))
            by_sql = set(await session.scalars(query))
            assert by_sql == {id for id in dialogs if held & audiences[id]}
            query = select(Task.id).where(Task.id.in_(tasks), task_access.visible(viewer))
            assert set(await session.scalars(query)) == {id for id in tasks if held & task_audiences[id]}
            sights.append(len(by_sql))
    assert sights[0] == len(dialogs)  # the administrator
    assert len(set(sights)) >= 5, "the world is too simple"


async def many_tasks(desk: Desk, viewers: list[Viewer], dialogs: list[UUID]) -> list[UUID]:
    chance = random.Random(11)
    made = []
    async with desk.db.transaction() as session:
        for number in range(120):
            task = Task(
                title=str(number),
                owner_id=chance.choice(viewers).agent_id,
                created_by=chance.choice([None, chance.choice(viewers).agent_id]),
                team_id=chance.choice([None, None, desk.world.support, desk.world.sales]),
                deadline_at=(await session.execute(select(Dialog.created_at).limit(1))).scalar_one(),
            )
            session.add(task)
            await session.flush()
            made.append(task.id)
            for dialog_id in chance.sample(dialogs, chance.choice([0, 0, 1, 2])):
                session.add(TaskDialog(task_id=task.id, dialog_id=dialog_id))
    return made


async def test_the_policy_is_the_one_that_is_written_down(desk: Desk) -> None:
    """A third hand: the rule's own words, without guests."""
    viewers, served = await people(desk), await channels(desk)
    dialogs = await many_dialogs(desk, viewers, served)
    await desk.db.raw.execute("delete from dialog_guests")
    await desk.db.raw.execute("delete from dialog_guest_teams")
    serving = {served[0]: {desk.world.support}, served[1]: {desk.world.sales}, served[2]: set()}
    rows = await desk.rows(
        "select id, assignee_id, team_id, channel_id from dialogs where id = any($1)", dialogs
    )
    await desk.db.raw.execute(
        "delete from channel_teams where team_id = $1", desk.world.third  # type: ignore[attr-defined]
    )  # fmt: skip
    for viewer in viewers:
        async with desk.db.transaction() as session:
            query = select(Dialog.id).where(Dialog.id.in_(dialogs), access.visible(viewer))
            seen = set(await session.scalars(query))
        for row in rows:
            own = (
                row["assignee_id"] in {viewer.agent_id, *viewer.mate_ids} or row["team_id"] in viewer.team_ids
            )
            nobodys = row["assignee_id"] is None and row["team_id"] is None
            may = viewer.is_admin or own or (nobodys and bool(serving[row["channel_id"]] & viewer.team_ids))
            assert (row["id"] in seen) == may, (viewer.role, row)


# --- ways round it --------------------------------------------------------------------------


async def foreign(desk: Desk) -> dict[str, str]:
    """Ids of things that Anna sees and Boris does not, by the name of their path parameter."""
    chat = await desk.chat()
    first = await chat.write("hidden", "Hidden words")
    answer = await desk.answer(first["dialog_id"], "Hidden answer")
    upload = (await desk.anna.post("/files", files={"file": ("hidden.txt", b"h", "text/plain")})).json()
    await desk.answer(first["dialog_id"], "With file", attachment_ids=[upload["id"]])
    task = await desk.anna.post(
        "/tasks", json={"title": "Hidden task", "dialog_ids": [str(first["dialog_id"])]}
    )
    assert task.status_code == 201, task.text
    return {
        "dialog_id": str(first["dialog_id"]),
        "customer_id": str(first["customer_id"]),
        "message_id": answer["id"],
        "attachment_id": upload["id"],
        "task_id": task.json()["id"],
        "identity_id": str(first["identity_id"]),
        "channel_id": str(chat.id),
        "kind": "edit",
    }


_MAY_BE_WITHOUT = (
    "/api/v1/customers/{customer_id}/avatar",
    "/api/v1/messages/{message_id}/raw",
    "/api/v1/messages/{message_id}/picture",
    "/api/v1/customers/{customer_id}/merge-preview",
)
"""What there is of some only."""
GUARDED = ("/dialogs", "/customers", "/contacts", "/messages", "/files", "/tasks")


async def doors(desk: Desk) -> list[tuple[str, str, Any]]:
    """Method, path and a well-formed body of every endpoint with the id of a guarded thing in its path."""
    document = (await desk.world.admin.get("/openapi.json")).json()
    found = []
    for path, methods in document["paths"].items():
        if not path.removeprefix("/api/v1").startswith(GUARDED) or "{" not in path:
            continue
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema")
            asked = [one for one in operation.get("parameters", ()) if one["in"] == "query"]
            given = {one["name"]: example(one["schema"], document) for one in asked if one.get("required")}
            query = "&".join(f"{name}={value}" for name, value in given.items())
            where = f"{path}?{query}" if query else path
            found.append((method, where, example(schema, document) if schema else None))
    return found


def example(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """The smallest value that is well-formed."""
    if "$ref" in schema:
        return example(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], document)
    if "anyOf" in schema:
        return example(schema["anyOf"][0], document)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            return {name: example(fields[name], document) for name in schema.get("required", [])}
        case "array":
            return []
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    return str(uuid4())


async def test_every_door_is_shut_to_what_is_not_his(desk: Desk) -> None:
    ids = await foreign(desk)
    found = await doors(desk)
    assert len(found) >= 20
    before = await desk.value("select count(*) from facts")
    for method, path, body in found:
        answer = await call(desk.boris, method, path.format(**ids), body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (
            f"{method} {path}: {answer.text}"
        )
        nothing = await call(
            desk.boris, method, path.format(**ids | dict.fromkeys(set(ids) - {"kind"}, str(uuid4()))), body
        )
        assert nothing.json()["code"] == answer.json()["code"]
        assert nothing.json()["detail"] == answer.json()["detail"], "tells what exists from what does not"
    assert await desk.value("select count(*) from facts") == before, "something was changed"
    for method, path, body in found:
        if method == "get" and not path.startswith(_MAY_BE_WITHOUT):
            assert (await call(desk.anna, method, path.format(**ids), body)).status_code == 200, path


async def call(client: Client, method: str, path: str, body: Any) -> Any:
    given = {} if body is None else {"json": body}
    return await client.request(method.upper(), path, **given)


async def test_ids_in_bodies_open_nothing(desk: Desk) -> None:
    ids = await foreign(desk)
    chat = await desk.chat(team=desk.world.sales)
    own = await chat.write("own")
    task = (await desk.boris.post("/tasks", json={"title": "Mine"})).json()
    tries = [
        ("post", "/dialogs", {name: ids[name] for name in ("customer_id", "channel_id", "identity_id")}),
        ("post", "/tasks", {"title": "x", "dialog_ids": [ids["dialog_id"]]}),
        ("post", "/tasks", {"title": "x", "message_ids": [ids["message_id"]]}),
        ("put", f"/tasks/{task['id']}/dialogs/{ids['dialog_id']}", None),
        ("put", f"/tasks/{task['id']}/messages/{ids['message_id']}", None),
    ]
    for name, value in (
        ("reply_to_id", ids["message_id"]),
        ("identity_id", ids["identity_id"]),
        ("attachment_ids", [ids["attachment_id"]]),
    ):
        body = {"client_key": uuid4().hex, "text": "x", name: value}
        tries.append(("post", f"/dialogs/{own['dialog_id']}/messages", body))
    for method, path, body in tries:
        answer = await call(desk.boris, method, path, body)
        assert answer.status_code in (400, 404), f"{method} {path}: {answer.text}"
        assert "idden" not in answer.text
    assert len(await chat.messages("own")) == 1


async def test_lists_hold_only_what_one_may_see(desk: Desk) -> None:
    ids = await foreign(desk)
    paths = [f"/dialogs?view={view}" for view in ("mine", "unassigned", "team", "all")]
    paths += ["/dialogs?q=hidden", "/customers?q=hidden", "/customers", "/tasks?view=all&status=any", "/sync"]
    paths += [f"/tasks?view=all&{name}={ids[name]}" for name in ("dialog_id", "customer_id")]
    for path in paths:
        answer = await desk.boris.get(path)
        assert answer.status_code == (404 if "_id=" in path else 200), f"{path}: {answer.text}"
        for name in ("dialog_id", "customer_id", "message_id", "attachment_id", "task_id"):
            assert ids[name] not in answer.text, path
        assert "idden" not in answer.text, path
    assert ids["dialog_id"] in (await desk.anna.get("/dialogs?q=hidden")).text


async def test_history_is_seen_up_to_the_newest_dialog_that_may_be_seen(desk: Desk) -> None:
    """Boris had the first matter; the second is another team's."""
    chat = await desk.chat()
    old = await chat.write("moves", "Old words")
    await desk.anna.patch(f"/dialogs/{old['dialog_id']}", json={"assignee_id": desk.boris.id})
    assert (await desk.boris.post(f"/dialogs/{old['dialog_id']}/close")).status_code == 200
    await desk.db.raw.execute(
        "update dialogs set closed_at = now() - interval '9 d' where id = $1", old["dialog_id"]
    )
    await chat.write("moves", "New words", files=[File("document", {"x": 1}, name="new.pdf")])
    _, new = await chat.messages("moves")
    file_id = await desk.value("select id from attachments where message_id = $1", new["id"])
    thread = (await desk.boris.get(f"/customers/{old['customer_id']}/messages")).json()
    assert [item["text"] for item in thread["items"]] == ["Old words"]
    card = await desk.boris.get(f"/customers/{old['customer_id']}")
    assert [dialog["id"] for dialog in card.json()["dialogs"]] == [str(old["dialog_id"])]
    assert "New words" not in card.text
    for path in (f"/dialogs/{new['dialog_id']}", f"/files/{file_id}"):
        assert (await desk.boris.get(path)).status_code == 404
    quote = await desk.post(old["dialog_id"], by=desk.boris, direction="note", reply_to_id=str(new["id"]))
    assert quote.status_code == 400, quote.text
    everything = (await desk.anna.get(f"/customers/{old['customer_id']}/messages")).json()
    assert [item["text"] for item in everything["items"]] == ["Old words", "New words"]


async def test_nobody_starts_a_dialog_to_read_what_others_said_since(desk: Desk) -> None:
    """A dialog of his own would be the newest, and the thread is seen up to the newest."""
    chat = await desk.chat()
    old = await chat.write("curious", "Old words")
    await desk.anna.patch(f"/dialogs/{old['dialog_id']}", json={"assignee_id": desk.boris.id})
    await desk.boris.post(f"/dialogs/{old['dialog_id']}/close")
    await desk.db.raw.execute(
        "update dialogs set closed_at = now() - interval '9 d' where id = $1", old["dialog_id"]
    )
    new = await chat.write("curious", "New words")
    await desk.anna.post(f"/dialogs/{new['dialog_id']}/close")
    body = {
        "customer_id": str(old["customer_id"]),
        "channel_id": str(chat.id),
        "identity_id": str(old["identity_id"]),
    }
    assert (await desk.boris.post("/dialogs", json=body)).status_code == 404
    thread = (await desk.boris.get(f"/customers/{old['customer_id']}/messages")).json()
    assert [item["text"] for item in thread["items"]] == ["Old words"]
    answers = await asyncio.gather(*(desk.anna.post("/dialogs", json=body) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1


async def test_an_upload_is_its_makers_alone(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("uploads")
    upload = (await desk.boris.post("/files", files={"file": ("b.txt", b"b", "text/plain")})).json()
    for client in (desk.anna, desk.world.admin):
        answer = await desk.post(first["dialog_id"], by=client, attachment_ids=[upload["id"]])
        assert answer.status_code == 400, answer.text
        assert (await client.get(f"/files/{upload['id']}")).status_code == 404
    assert (await desk.boris.get(f"/files/{upload['id']}")).status_code == 200
    own = (await desk.anna.post("/files", files={"file": ("a.txt", b"a", "text/plain")})).json()
    await desk.answer(first["dialog_id"], attachment_ids=[own["id"]])
    twice = await desk.post(first["dialog_id"], attachment_ids=[own["id"]])
    assert twice.status_code == 400


async def test_a_visitor_adopts_nobody_elses_upload(desk: Desk) -> None:
    chat = await desk.chat()
    other = await chat.write("other")
    agents = (await desk.anna.post("/files", files={"file": ("a.txt", b"a", "text/plain")})).json()["id"]
    marks: list[dict[str, Any]] = [
        {"identity_id": other["identity_id"]},
        {"ref": {"channel": str(chat.id), "visitor": "other"}},
        {"ref": {"channel": str(uuid4()), "visitor": "visitor"}},
        {"ref": {"channel": str(chat.id), "visitor": "visitor"}},
    ]
    async with desk.db.transaction() as session:
        rows = [
            Attachment(kind="document", name="v", state="stored", file_key="2026/11/x", **mark)
            for mark in marks
        ]
        session.add_all(rows)
        await session.flush()
        ids = [agents, *(str(row.id) for row in rows)]
    files = [File("document", {"upload": id}) for id in ids]
    row = await chat.write("visitor", files=files)
    states = await desk.rows(
        "select state from attachments where message_id = $1 order by position", row["id"]
    )
    assert [found["state"] for found in states] == ["unavailable"] * 4 + ["stored"]
