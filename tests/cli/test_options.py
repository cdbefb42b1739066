from dataclasses import dataclass, fields

import pytest

from nvcodec.api.settings import DecodeSettings, EncodeSettings, option
from nvcodec.cli import decode, encode, options
from nvcodec.cli.parser import Parser
from nvcodec.errors import UsageError


@dataclass(frozen=True)
class Sample:
    """One field of each kind."""

    count: int | None = option(None, "a count, 50% of it")
    rate: float = option(1.0, "a rate")
    name: str = option("x", "a name")
    kind: str | None = option(None, "a kind", choices=("first", "second"))
    limit: int | None = option(None, "a size", parse="size")
    within: float | None = option(None, "a time", parse="duration")
    part: tuple[int, int] | None = option(None, "a range", parse="range")
    with_sound: bool = option(True, "keep the sound")
    fast_path: bool = option(False, "be fast")
    hidden: int = 5


@pytest.fixture
def sample():
    parser = Parser("sample", "", "A sample.", [("nvcodec sample", "nothing")])
    options.add_settings(parser, Sample, {"main": ("count", "name"), "other": ("*",)})
    return parser


def read(parser, *arguments):
    return options.given_settings(Sample, parser.parse(arguments))


def test_defaults_are_those_of_the_dataclass(sample):
    assert read(sample) == Sample()
    assert vars(sample.parse([])) == {}


def test_each_kind_of_field(sample):
    text = "--count 3 --rate=2.5 --name a --kind second --limit 2kB --within 1m --part 4:8 --no-with-sound --fast-path"
    assert read(sample, *text.split()) == Sample(3, 2.5, "a", "second", 2000, 60.0, (4, 8), False, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--count", "x"], "--count: 'x' is not a whole number"),
        (["--rate", "fast"], "--rate: 'fast' is not a number"),
        (["--kind", "frist"], "--kind: there is no 'frist'; did you mean first?"),
        (["--kind", "zzz"], "--kind: there is no 'zzz'; there are: first, second"),
        (["--limit", "2 apples"], "--limit: '2 apples' is not a size"),
        (["--count"], "--count: expected one argument"),
        (["--cuont", "3"], "there is no option --cuont; did you mean --count?"),
        (["--with-sound"], "there is no option --with-sound; did you mean --no-with-sound?"),
        (["--coun=3"], "there is no option --coun; did you mean --count?"),
        (["stray"], "unexpected argument 'stray'"),
        (["--hidden", "3"], "there is no option --hidden"),
    ],
)
def test_what_is_wrong_is_said(sample, arguments, said):
    with pytest.raises(UsageError) as caught:
        sample.parse(arguments)
    assert said in str(caught.value) and str(caught.value).endswith("(see nvcodec sample --help)")


def test_help_of_the_sample(sample):
    text = sample.format_help()
    for piece in ("main:", "other:", "--count N", "50% of it", "--limit SIZE", "--within TIME", "--part START:STOP",
                  "--no-with-sound", "do not keep the sound", "--fast-path"):  # fmt: skip
        assert piece in text
    assert text.index("--name") < text.index("other:") < text.index("--rate")


@pytest.mark.parametrize(("command", "settings"), [(encode, EncodeSettings), (decode, DecodeSettings)])
def test_every_setting_is_an_option_with_help(command, settings):
    known = command.parser()._option_string_actions
    for field in fields(settings):
        name = field.name.replace("_", "-")
        action = known.get(f"--{name}") or known.get(f"--no-{name}")
        assert action is not None and action.help, name


def test_groups_of_encode_name_real_fields():
    names = {field.name for field in fields(EncodeSettings)} | {"*"}
    assert {name for group in encode.GROUPS.values() for name in group} <= names
