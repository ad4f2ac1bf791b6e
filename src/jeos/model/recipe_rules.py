"""What the parts of a recipe demand of each other: each rule is a function that yields problems with their place."""

from collections.abc import Callable, Hashable, Iterable, Iterator

from jeos.model import schedule
from jeos.model.properties import complaint, environment_name
from jeos.model.recipe import Property, Recipe, User
from jeos.model.recipe_shapes import show
from jeos.model.toml_lines import Path

Problem = tuple[Path, str]

VOLATILE = ("/proc", "/sys", "/dev", "/run", "/tmp")  # mounted over at boot: what a file rule puts there is never seen
OWN_REPOSITORIES = ("debian", "debian-security", "debian-updates")  # what the lock calls Debian's own
OWN_PARAMETERS = ("root", "roothash", "rootfstype", "rootflags", "init", "ro", "rw")  # the image's own, sealed with it
FIRST_USER, LAST_SYSTEM_USER = 1000, 999  # Debian's ranges, policy 9.2.2
HIGHEST_PORT = 65535
CHECK_LIMITS = ("1m", "90d")
HOLD_LIMITS = ("0s", "1d")


def problems(recipe: Recipe) -> Iterator[Problem]:
    """Yield every problem that the recipe's parts have with each other."""
    for rule in RULES:
        yield from rule(recipe)


def _repeats(values: Iterable[Hashable], *, key: str, part: str, what: str) -> Iterator[Problem]:
    """Yield a problem for each value that an earlier table of the same kind has."""
    seen: set[Hashable] = set()
    for position, value in enumerate(values):
        if value in seen:
            yield (key, position, part), f"{key}.{part} = {show(value)}: another {what} has it already"
        seen.add(value)


def names_differ(recipe: Recipe) -> Iterator[Problem]:
    """No two tables of a kind have one name."""
    yield from _repeats((item.name for item in recipe.repositories), key="repository", part="name", what="repository")
    yield from _repeats((item.target for item in recipe.files), key="file", part="target", what="file")
    yield from _repeats((item.name for item in recipe.users), key="user", part="name", what="user")
    yield from _repeats((item.name for item in recipe.units), key="unit", part="name", what="unit")
    yield from _repeats((item.name for item in recipe.health), key="health", part="name", what="check")
    yield from _repeats((item.name for item in recipe.properties), key="property", part="name", what="property")


def ports_differ(recipe: Recipe) -> Iterator[Problem]:
    """No port is there twice, and no name of a port."""
    seen: set[tuple[str, int]] = set()
    names: set[str] = set()
    for position, port in enumerate(recipe.ports):
        if (port.protocol, port.guest) in seen:
            yield ("port", position, "guest"), f"port.guest = {port.guest}: this {port.protocol} port is there already"
        if port.name and port.name in names:
            yield ("port", position, "name"), f"port.name = {show(port.name)}: another port has it already"
        seen.add((port.protocol, port.guest))
        names.add(port.name)


def packages_agree(recipe: Recipe) -> Iterator[Problem]:
    """No package is both wanted and excluded."""
    for position, name in enumerate(recipe.exclude):
        if name in recipe.packages:
            yield ("exclude", position), f"exclude = {show(name)}: packages has it too; take it out of one of them"


def addresses_hide_nothing(recipe: Recipe) -> Iterator[Problem]:
    """No address carries a password: recipes are published."""
    places: list[tuple[Path, str, str]] = [
        (("mirror",), "mirror", recipe.mirror),
        (("security-mirror",), "security-mirror", recipe.security_mirror),
        *((("repository", at, "url"), "repository.url", item.url) for at, item in enumerate(recipe.repositories)),
        *([(("update", "channel"), "update.channel", recipe.update.channel)] if recipe.update else []),
    ]
    for path, name, url in places:
        authority = url.partition("://")[2].partition("/")[0]
        if "@" in authority:
            shown = show(url.replace(authority.rpartition("@")[0], "…", 1))
            instead = "" if name == "update.channel" else "; put it into the file of JEOS_CREDENTIALS"
            yield path, f"{name} = {shown}: a recipe must not hold a password{instead}"


def repositories_have_own_names(recipe: Recipe) -> Iterator[Problem]:
    """No repository takes the name of one of Debian's."""
    for position, item in enumerate(recipe.repositories):
        if item.name in OWN_REPOSITORIES:
            yield ("repository", position, "name"), f"repository.name = {show(item.name)}: Debian's own has this name"


def files_last(recipe: Recipe) -> Iterator[Problem]:
    """No file goes where the running system mounts something else."""
    for position, item in enumerate(recipe.files):
        for folder in VOLATILE:
            if item.target == folder or item.target.startswith(f"{folder}/"):
                text = f"file.target = {show(item.target)}: {folder} is empty at each boot; nothing put there lasts"
                yield ("file", position, "target"), text


def files_have_names(recipe: Recipe) -> Iterator[Problem]:
    """Only a folder goes to the root itself."""
    for position, item in enumerate(recipe.files):
        if item.target == "/" and not item.source:
            yield ("file", position, "target"), 'file.target = "/": only the content of a folder (source) can go there'


def users_are_possible(recipe: Recipe) -> Iterator[Problem]:
    """Numbers fit the kind of user and differ; root only gets SSH keys."""
    seen: set[int] = set()
    for position, user in enumerate(recipe.users):
        path: Path = ("user", position, "uid")
        if user.name == "root" and user != User(name="root", ssh_keys=user.ssh_keys):
            yield ("user", position), 'user "root" is there already; only its ssh-keys can be set'
        if user.uid is None:
            continue
        if user.uid in seen:
            yield path, f"user.uid = {user.uid}: another user has it already"
        if user.system and user.uid > LAST_SYSTEM_USER:
            yield path, f"user.uid = {user.uid}: a system user's is at most {LAST_SYSTEM_USER}"
        if not user.system and user.uid < FIRST_USER:
            yield path, f"user.uid = {user.uid}: must be at least {FIRST_USER}, or set system = true"
        seen.add(user.uid)


def units_agree(recipe: Recipe) -> Iterator[Problem]:
    """No unit is to be both started and not."""
    systemd = recipe.systemd
    written = {unit.name for unit in recipe.units if unit.enable}
    for position, name in enumerate(systemd.disable):
        if name in systemd.enable or name in written:
            yield ("systemd", "disable", position), f"systemd.disable = {show(name)}: the unit is enabled too"
    for position, name in enumerate(systemd.mask):
        if name in systemd.enable or name in written:
            yield ("systemd", "mask", position), f"systemd.mask = {show(name)}: the unit is enabled too"
    for position, name in enumerate(systemd.enable):
        if "@." in name:
            text = f"systemd.enable = {show(name)}: a template needs an instance, such as {name.replace('@.', '@1.')}"
            yield ("systemd", "enable", position), text


def units_can_start(recipe: Recipe) -> Iterator[Problem]:
    """A unit that starts at boot says when, and no unit is masked that the recipe writes."""
    for position, unit in enumerate(recipe.units):
        sections = {line.strip() for line in unit.content.splitlines()}
        if unit.enable and "[Install]" not in sections:
            text = f"unit {show(unit.name)} has no [Install] section, so it cannot be enabled; add one with"
            yield ("unit", position, "content"), f"{text} WantedBy=multi-user.target, or set enable = false"
        if unit.name in recipe.systemd.mask and not unit.enable:
            yield (
                ("unit", position, "name"),
                f"unit.name = {show(unit.name)}: systemd.mask has it; a masked unit is no file",
            )


def parameters_leave_the_root(recipe: Recipe) -> Iterator[Problem]:
    """No kernel parameter takes the place of one that the image seals."""
    for position, parameter in enumerate(recipe.kernel.parameters):
        name = parameter.partition("=")[0]
        if name in OWN_PARAMETERS:
            yield (
                ("kernel", "parameters", position),
                f"kernel.parameters = {show(parameter)}: the image sets {name} itself",
            )


def checks_are_possible(recipe: Recipe) -> Iterator[Problem]:
    """Ports exist, and what only HTTP knows stands with HTTP."""
    for position, check in enumerate(recipe.health):
        if check.tcp and not 1 <= int(check.tcp.rpartition(":")[2]) <= HIGHEST_PORT:
            yield ("health", position, "tcp"), f"health.tcp = {show(check.tcp)}: a port is from 1 to {HIGHEST_PORT}"
        if check.status != 200 and not check.http:
            yield ("health", position, "status"), f"health.status = {check.status}: only http answers with a status"


def properties_are_possible(recipe: Recipe) -> Iterator[Problem]:
    """Each property's default fits its own demands, and they fit its type."""
    variables: dict[str, str] = {}
    for position, rule in enumerate(recipe.properties):
        path: Path = ("property", position)
        variable = environment_name(rule.name)
        if variables.setdefault(variable, rule.name) != rule.name:
            yield (*path, "name"), f"property.name = {show(rule.name)}: {variables[variable]} is {variable} already"
        for key, value, text in _property_faults(rule):
            shown = "…" if rule.secret and key == "default" else show(value)
            yield (*path, key), f"property.{key} = {shown}: {text}"


def updates_are_possible(recipe: Recipe) -> Iterator[Problem]:
    """Periods are neither so short that they hurt nor so long that they mean never, and windows open."""
    update = recipe.update
    if update is None:
        return
    for key, period, (least, most) in (("check", update.check, CHECK_LIMITS), ("hold", update.hold, HOLD_LIMITS)):
        if not schedule.seconds(least) <= schedule.seconds(period) <= schedule.seconds(most):
            yield ("update", key), f"update.{key} = {show(period)}: must be from {least} to {most}"
    try:
        schedule.Windows.parse(update.window)
    except ValueError as error:
        yield ("update", "window"), f"update.window = {show(update.window)}: {error}"


def _property_faults(rule: Property) -> Iterator[tuple[str, object, str]]:
    """Yield the key, the value and the fault of what is wrong with one property."""
    if rule.type == "choice" and not rule.choices:
        yield "type", rule.type, "needs choices"
    if rule.choices and rule.type != "choice":
        yield "choices", list(rule.choices), f'only a property of type "choice" has them, not "{rule.type}"'
    if rule.pattern and rule.type != "string":
        yield "pattern", rule.pattern, f'only a property of type "string" has one, not "{rule.type}"'
    for key, limit in (("minimum", rule.minimum), ("maximum", rule.maximum)):
        if limit is not None and rule.type != "integer":
            yield key, limit, f'only a property of type "integer" has one, not "{rule.type}"'
    if rule.minimum is not None and rule.maximum is not None and rule.minimum > rule.maximum:
        yield "minimum", rule.minimum, f"is more than the maximum, {rule.maximum}"
    if rule.default is None:
        return
    if rule.required:
        yield "required", True, "a property with a default is never missing; leave out one of them"
    if rule.secret:
        yield "default", rule.default, "a secret with a default is no secret: everyone with the image can read it"
    fault = complaint(rule, rule.default)
    if fault:
        yield "default", rule.default, fault


RULES: tuple[Callable[[Recipe], Iterator[Problem]], ...] = (
    names_differ,
    ports_differ,
    packages_agree,
    addresses_hide_nothing,
    repositories_have_own_names,
    files_last,
    files_have_names,
    users_are_possible,
    units_agree,
    units_can_start,
    parameters_leave_the_root,
    checks_are_possible,
    properties_are_possible,
    updates_are_possible,
)
