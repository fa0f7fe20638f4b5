"""Who may ask, how much, and what browsers are told."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from qingyu.errors import SettingsError
from qingyu.settings import Settings
from qingyu.web.edge.context import RequestContext
from qingyu.web.edge.errors import RateLimitedError
from qingyu.web.edge.security import Keys, hash_key, read_keys
from tests.support.serving import SENTENCE, fake_settings, serving

KEYS = {"alice": "key-of-alice", "bob": "key-of-bob"}
LINES = [f"{name}:{hash_key(key)}" for name, key in KEYS.items()]


def test_with_keys_only_their_owners_get_in(tmp_path: Path) -> None:
    """Every path that computes or tells of models needs a key; the page and health do not."""
    with (
        serving(fake_settings(tmp_path, api_keys=",".join(LINES))) as running,
        running.client() as client,
    ):
        body = {"text": SENTENCE}
        for path in ("/v1/fill-mask", "/predict", "/models/fake", "/v2/models/fake/infer", "/v2"):
            answer = client.post(path, json=body)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        assert client.get("/metrics").status_code == 401
        assert client.get("/v1/models").status_code == 401
        for path in ("/", "/docs/", "/openapi.json", "/health/live", "/v2/health/ready"):
            assert client.get(path).status_code == 200
        for headers in (
            {"authorization": "Bearer key-of-alice"},
            {"authorization": "bearer key-of-bob"},
            {"x-api-key": "key-of-bob"},
        ):
            assert client.post("/v1/fill-mask", json=body, headers=headers).status_code == 200
        for headers in (
            {"authorization": "Bearer nope"},
            {"authorization": "Bearer"},
            {"authorization": f"Bearer {hash_key('key-of-alice')}"},
            {"authorization": "Basic key-of-alice"},
            {"x-api-key": ""},
        ):
            assert client.post("/v1/fill-mask", json=body, headers=headers).status_code == 401


def test_keys_are_read_from_a_file(tmp_path: Path) -> None:
    """One name and digest a line, comments left out; what is wrong is not quoted."""
    path = tmp_path / "keys"
    path.write_text(f"# ours\n{LINES[0]}  # the first\n\n{LINES[1]}\n", "utf-8")
    assert set(read_keys([], path)) == {"alice", "bob"}
    path.write_text("my-secret-in-the-clear\n", "utf-8")
    with pytest.raises(SettingsError) as told:
        read_keys([], path)
    assert "secret" not in str(told.value)
    path.write_text("# nobody\n", "utf-8")
    with pytest.raises(SettingsError):
        read_keys([], path)
    with pytest.raises(SettingsError):
        read_keys([], tmp_path / "missing")


def test_a_key_has_a_rate_in_tokens() -> None:
    """What a key has used up comes back with time; other keys are not concerned."""
    now = [0.0]
    keys = Keys(read_keys(LINES, None), tokens_per_minute=60, clock=lambda: now[0])
    scope = {"path": "/v1/fill-mask", "method": "POST"}

    def ask(name: str, tokens: int) -> None:
        context = RequestContext("id")
        keys.check(scope, {b"x-api-key": KEYS[name].encode()}, context)
        assert context.client == name
        keys.hold(context, 2 * tokens)  # what it could cost at most
        context.tokens = tokens
        keys.settle(context, answered=True)

    ask("alice", 50)
    ask("alice", 40)  # begun with 10 left, so it is let in and goes below zero
    with pytest.raises(RateLimitedError) as told:
        ask("alice", 1)
    assert told.value.retry_after == pytest.approx(31)
    ask("bob", 1)
    now[0] += 31
    ask("alice", 1)
    now[0] += 10_000
    ask("alice", 60)
    with pytest.raises(RateLimitedError):
        ask("alice", 1)


def test_the_rate_is_429_over_http(tmp_path: Path) -> None:
    """Over the rate the answer is 429 with a time to return."""
    settings = fake_settings(tmp_path, api_keys=LINES[0], key_tokens_per_minute=10)
    with serving(settings) as running, running.client() as client:
        client.headers["x-api-key"] = KEYS["alice"]
        assert client.post("/v1/fill-mask", json={"text": SENTENCE}).status_code == 200
        answer = client.post("/v1/fill-mask", json={"text": SENTENCE})
        assert answer.status_code == 429
        assert answer.json()["error"]["code"] == "rate_limited"
        assert int(answer.headers["retry-after"]) >= 1


def test_every_answer_carries_the_security_headers(client: httpx.Client) -> None:
    """The page may load what is its own and nothing else, and is not put in a frame."""
    for path in ("/", "/docs/", "/health/live", "/nope", "/openapi.json"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_other_origins_get_nothing_by_default(client: httpx.Client) -> None:
    """No CORS header unless the operator names the origin."""
    answer = client.get("/v1/models", headers={"origin": "https://example.com"})
    assert "access-control-allow-origin" not in answer.headers


def test_an_origin_can_be_allowed(tmp_path: Path) -> None:
    """The named origin may ask, with a key too; another may not."""
    settings = fake_settings(tmp_path, cors_origins="https://a.example", api_keys=LINES[0])
    with serving(settings) as running, running.client() as client:
        asks = {
            "origin": "https://a.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type,authorization",
        }
        answer = client.options("/v1/fill-mask", headers=asks)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        answer = client.options("/v1/fill-mask", headers={**asks, "origin": "https://b.example"})
        assert "access-control-allow-origin" not in answer.headers


def test_a_page_may_read_why_it_was_refused(tmp_path: Path) -> None:
    """Refusals tell an allowed origin what they tell anyone; a page elsewhere reads nothing."""
    settings = fake_settings(tmp_path, cors_origins="https://A.example", api_keys=LINES[0])
    with serving(settings) as running, running.client() as client:
        for origin, allowed in (("https://a.example", True), ("https://b.example", False)):
            answer = client.post("/v1/fill-mask", json={}, headers={"origin": origin})
            assert answer.status_code == 401
            assert ("access-control-allow-origin" in answer.headers) is allowed
            assert ("x-request-id" in answer.headers) is True


def test_the_client_for_pages_is_there_for_every_page(client: httpx.Client) -> None:
    """Its file and no other may be loaded as a module by whoever likes."""
    headers = {"origin": "https://example.com"}
    assert client.get("/client.js", headers=headers).headers["access-control-allow-origin"] == "*"
    answer = client.get("/js/main.js", headers=headers)
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origins", ["a.example", "https://a.example/", "https://a.example/x", ""])
def test_origins_are_written_as_browsers_send_them(origins: str) -> None:
    """A path or a bare name would never match, and is refused; none at all is fine."""
    if not origins:
        assert Settings(cors_origins=origins).cors_origins == ()
        return
    with pytest.raises(SettingsError, match=r"https://a\.example"):
        Settings(cors_origins=origins)


def test_a_key_is_not_for_every_site() -> None:
    """Where there are keys the sites are named; without keys the operator may say all."""
    with pytest.raises(SettingsError, match="CORS"):
        Settings(cors_origins="*", api_keys=LINES[0])
    assert Settings(cors_origins="*").cors_origins == ("*",)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", ""])
def test_others_are_not_served_without_a_key_unless_told_so(host: str) -> None:
    """Listening beyond this machine needs a key, or saying that none is wanted."""
    with pytest.raises(SettingsError, match="QINGYU_ALLOW_OPEN"):
        Settings(host=host)
    assert Settings(host=host, allow_open=True).host == host
    assert Settings(host=host, api_keys=LINES[0]).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_this_machine_is_served_without_a_key(host: str) -> None:
    """Loopback needs nothing."""
    assert Settings(host=host).host == host


def test_wrong_settings_are_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is wrong is named, from the environment too; a typing mistake is not ignored."""
    monkeypatch.setenv("QINGYU_PORT", "99999")
    with pytest.raises(SettingsError, match="port"):
        Settings()
    with pytest.raises(SettingsError, match="prot"):
        Settings(port=1, prot=2)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes, lists and folders as one writes them in a shell; what is given by name comes first."""
    monkeypatch.setenv("QINGYU_MEMORY_BUDGET", "1GB")
    monkeypatch.setenv("QINGYU_PIN", "a, b")
    monkeypatch.setenv("QINGYU_MODELS", "/models")
    monkeypatch.setenv("QINGYU_PORT", "1")
    settings = Settings(port=2)
    assert settings.memory_budget == 10**9
    assert settings.pin == ("a", "b")
    assert settings.models == Path("/models")
    assert settings.port == 2
