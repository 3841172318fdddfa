"""A prompt in the words of Chat Completions."""

from __future__ import annotations

import pytest

from core.errors import ModelRefused
from core.llm import ModelRequest, PromptMessage, Role
from core.llm.chat import Chat
from core.llm.endpoint import EndpointModel
from tests.core.llm.asking import answer_of, client_of, request
from tests.peers.endpoint import Endpoint, Fail

IMAGE = "data:image/png;base64,AAAA"


def messages_of(*messages: PromptMessage) -> object:
    """The messages as they are sent."""
    return Chat().body("m", ModelRequest(messages=messages))["messages"]


def test_a_text_is_only_a_text() -> None:
    hello = {"role": "user", "content": "Hello"}
    assert messages_of(*request("Hello").messages) == [hello]


def test_images_stand_behind_the_text() -> None:
    asked = PromptMessage(role=Role.USER, content="Look", images=(IMAGE, IMAGE))
    image = {"type": "image_url", "image_url": {"url": IMAGE}}
    content = [{"type": "text", "text": "Look"}, image, image]
    assert messages_of(asked) == [{"role": "user", "content": content}]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "Invalid content type. image_url is only supported by certain models."),
        (400, "m is not a multimodal model"),
        (404, "No endpoints found that support image input"),
        (422, "unknown variant `image_url`, expected `text`"),
        (500, "image input is not supported - hint: you may need to provide the mmproj"),
    ],
)
async def test_a_model_that_cannot_look_at_images_is_one_plain_sentence(
    endpoint: Endpoint, status: int, message: str
) -> None:
    endpoint.script(*[Fail(status=status, message=message)] * 3)
    asked = PromptMessage(role=Role.USER, content="Look", images=(IMAGE,))
    async with client_of(endpoint.base_url) as client:
        with pytest.raises(ModelRefused) as caught:
            await answer_of(EndpointModel(client, "gpt-6-luna"), ModelRequest(messages=(asked,)))
    assert caught.value.told == (
        "My language model cannot look at images. Please tell me in words what is in it."
    )
