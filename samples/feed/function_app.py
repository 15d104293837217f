"""A social feed of signals: authors signal the feeds of their followers."""

from __future__ import annotations

from dataclasses import dataclass, field

from funchost import (
    DurableClient,
    Entity,
    EntityId,
    FunctionApp,
    HttpRequest,
    HttpResponse,
)

app = FunctionApp()

KEPT_POSTS = 100


@dataclass(frozen=True, kw_only=True)
class Post:
    author: str
    number: int
    text: str


@dataclass(kw_only=True)
class Profile:
    """What is known of an author."""

    followers: list[str] = field(default_factory=list)
    posts: int = 0


@app.entity_trigger()
class Author(Entity[Profile]):
    def initial_state(self) -> Profile:
        return Profile()

    def follow(self, reader: str) -> None:
        if reader not in self.state.followers:
            self.state.followers.append(reader)

    def unfollow(self, reader: str) -> None:
        if reader in self.state.followers:
            self.state.followers.remove(reader)

    def post(self, text: str) -> int:
        self.state.posts += 1
        post = Post(author=self.context.entity_key, number=self.state.posts, text=text)
        for reader in self.state.followers:
            self.context.signal_entity(EntityId("Feed", reader), "add", post)
        return post.number


@app.entity_trigger()
class Feed(Entity[list[Post]]):
    """The last posts, the newest first."""

    def initial_state(self) -> list[Post]:
        return []

    def add(self, post: Post) -> None:
        self.state = [post, *self.state][:KEPT_POSTS]


@app.route("authors/{name}/followers/{reader}", methods=["PUT", "DELETE"])
@app.orchestration_client("client")
async def change_followers(req: HttpRequest, client: DurableClient) -> HttpResponse:
    author = EntityId("Author", req.route_params["name"])
    operation = "follow" if req.method == "PUT" else "unfollow"
    await client.signal_entity(author, operation, req.route_params["reader"])
    return HttpResponse(status_code=202)


@app.route("authors/{name}/posts", methods=["POST"])
@app.orchestration_client("client")
async def post(req: HttpRequest, client: DurableClient) -> HttpResponse:
    text = req.json()
    if not isinstance(text, str) or not text:
        return HttpResponse('A post is a text: "Hello"', status_code=400)
    await client.signal_entity(EntityId("Author", req.route_params["name"]), "post", text)
    return HttpResponse(status_code=202)


@app.route("feeds/{name}", methods=["GET"])
@app.orchestration_client("client")
async def read_feed(req: HttpRequest, client: DurableClient) -> list[dict[str, object]]:
    found = await client.get_entity(EntityId("Feed", req.route_params["name"]))
    return [] if found is None or found.state is None else list(found.state)
