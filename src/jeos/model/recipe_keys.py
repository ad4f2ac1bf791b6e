"""Every key of `appliance.toml`: its form, what it is for, an example.

This is the only description of the recipe. The parser (`recipe_text`), the JSON Schema (`recipe_schema`) and the
reference page (`recipe_reference`) are made from it; what one key demands of another is in `recipe_rules`.
"""

from jeos.model import recipe
from jeos.model.image import MEBIBYTE
from jeos.model.recipe_shapes import Always, Boolean, Choice, Expression, Mode, Scalar, Seconds, Size, Text, Whole
from jeos.model.recipe_tables import Key, ListOf, Pairs, Switch, Table
from jeos.model.recipe_texts import (
    ACCOUNT,
    COMPONENT,
    CONTENT,
    DATA,
    DEB,
    LABEL,
    LINE,
    MODULE,
    NAME,
    PACKAGE,
    PARAMETER,
    PATTERN,
    PERIOD,
    PROPERTY_NAME,
    RATE,
    RULE,
    SCRIPT,
    SOCKET,
    SOURCE,
    SSH_KEY,
    SUITE,
    TARGET,
    UNIT,
    UNIT_TEXT,
    URL,
    VERSION,
    WEB,
    WHEEL,
    WINDOW,
)


def _list(element: Text, words: str, *, shortest: int = 0) -> ListOf:
    return ListOf(element, f"a list of {words}{', at least one' if shortest else ''}", shortest=shortest)


REPOSITORY = Table(
    recipe.Repository,
    "An apt repository beside Debian's own.",
    (
        Key("name", LABEL, "What the lock calls it.", '"vendor"'),
        Key("url", URL, "Its address, without user name or password.", '"https://packages.example/debian"'),
        Key("suite", SUITE, "Its suite.", '"stable"'),
        Key("components", _list(COMPONENT, "component names", shortest=1), "Its components.", '["main"]'),
        Key("key", SOURCE, "The OpenPGP key that signs it, as a file, binary or armoured.", '"keys/vendor.asc"'),
    ),
)

FILE = Table(
    recipe.FileRule,
    "A file, a symbolic link or a whole folder to put into the image, over what packages brought. "
    "Folders that are there already keep their owner and mode, unless `directory` is what the table is for.",
    (
        Key("target", TARGET, "Where it goes.", '"/srv/www"'),
        Key("source", SOURCE, "The file or folder to copy; links inside a folder stay links.", '"site"'),
        Key("content", CONTENT, "The file's content, instead of `source`.", '"Welcome.\\n"'),
        Key("directory", Always(), "Makes an empty folder, or gives one that is there an owner and a mode.", "true"),
        Key("owner", ACCOUNT, "The user who owns it, by the image's names.", '"www-data"'),
        Key("group", ACCOUNT, "The group that owns it, by the image's names.", '"www-data"'),
        Key(
            "mode",
            Mode(),
            "The permissions of files.",
            '"0640"',
            default='`"0755"` for a source that its owner may execute, else `"0644"`',
        ),
        Key("directory-mode", Mode(), "The permissions of folders.", '"0750"', default='`"0755"`'),
    ),
    one_of=("source", "content", "directory"),
)

COMMAND = Table(
    recipe.Command,
    "A command that runs in the sandbox, inside the image, as its root, when packages, files and users are in place.",
    (
        Key("run", SCRIPT, "The command, for `/bin/sh -e`.", '"update-ca-certificates"'),
        Key("network", Boolean(), "Whether it may use the network. Such a build can differ each time.", "true"),
    ),
)

USER = Table(
    recipe.User,
    "A user of the appliance. Passwords are locked; people come in with SSH keys.",
    (
        Key("name", ACCOUNT, "The user's name; `root` may be named to give it SSH keys.", '"app"'),
        Key(
            "uid",
            Whole(1, 59999),
            "The user's number, and that of the group of the same name.",
            "1000",
            default="the next free one",
        ),
        Key("system", Boolean(), "Whether it is a service's account, without a home of its own.", "true"),
        Key(
            "home",
            TARGET,
            "The home folder.",
            '"/var/lib/app"',
            default="`/var/home/NAME`, made from `/etc/skel`; none for a service's account",
        ),
        Key(
            "shell",
            TARGET,
            "The login shell.",
            '"/bin/bash"',
            default="`/bin/sh`; `/usr/sbin/nologin` for a service's account",
        ),
        Key("groups", _list(ACCOUNT, "group names"), "Further groups; those that are not there are made.", '["adm"]'),
        Key(
            "ssh-keys",
            _list(SSH_KEY, "public SSH keys"),
            "The SSH keys that log in.",
            '["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA ada"]',
        ),
    ),
    shown=("name", "uid", "shell", "groups", "ssh-keys"),
)

SYSTEMD = Table(
    recipe.Systemd,
    "Which of the systemd units that packages brought start at boot.",
    (
        Key("enable", _list(UNIT, "unit names"), "Units to enable.", '["nginx.service"]'),
        Key("disable", _list(UNIT, "unit names"), "Units to disable.", '["apt-daily.timer"]'),
        Key("mask", _list(UNIT, "unit names"), "Units that nothing may start.", '["getty@tty1.service"]'),
    ),
)

UNIT_TABLE = Table(
    recipe.Unit,
    "A systemd unit written in the recipe.",
    (
        Key("name", UNIT, "Its name.", '"app.service"'),
        Key("content", UNIT_TEXT, "The unit file.", '"[Service]\\nExecStart=/usr/bin/app\\n"'),
        Key("enable", Boolean(), "Whether it starts at boot; it then needs an `[Install]` section.", "false"),
    ),
)

KERNEL = Table(
    recipe.Kernel,
    "The Linux kernel.",
    (
        Key(
            "flavour",
            Choice(("cloud", "generic")),
            "Debian's kernel for virtual machines, or the one for any hardware (AHCI, e1000, pass-through).",
            '"generic"',
        ),
        Key(
            "modules",
            _list(MODULE, "module names"),
            "Modules that slimming keeps and that are loaded at boot.",
            '["nf_tables"]',
        ),
        Key(
            "parameters",
            _list(PARAMETER, "kernel parameters"),
            "Words to add to the kernel's command line.",
            '["mitigations=auto"]',
        ),
    ),
)

SYSCTL = Pairs(
    r"[A-Za-z0-9_*-]+(?:[./][A-Za-z0-9_*:@-]+)+",
    Scalar(),
    'a kernel setting in quotes, such as "net.ipv4.ip_forward" = 1',
)

PORT = Table(
    recipe.PortRule,
    "A port that the appliance offers. It opens nothing; it is what `jeos run` forwards and a catalogue shows.",
    (
        Key("guest", Whole(1, 65535), "Its number in the guest.", "80"),
        Key("protocol", Choice(("tcp", "udp")), "Its protocol.", '"udp"'),
        Key("name", LABEL, "What it is called.", '"web"'),
    ),
)

HEALTH = Table(
    recipe.Health,
    "A check that tells whether the appliance is well. An update that fails one is rolled back.",
    (
        Key("name", LABEL, "What the check is called.", '"page"'),
        Key("unit", UNIT, "Holds when this unit is active.", '"nginx.service"'),
        Key("http", WEB, "Holds when this address, asked in the guest, answers with `status`.", '"http://localhost/"'),
        Key("tcp", SOCKET, "Holds when this port takes a connection.", '"localhost:5432"'),
        Key("command", SCRIPT, "Holds when this command, run by `/bin/sh`, ends with 0.", '"pg_isready"'),
        Key("status", Whole(100, 599), "The HTTP status that `http` must answer.", "204"),
        Key("timeout", Seconds(), "Seconds until one try has failed.", "5"),
        Key("interval", Seconds(), "Seconds between two tries.", "1"),
        Key("within", Seconds(86400), "Seconds after boot until the check must hold.", "60"),
    ),
    one_of=("unit", "http", "tcp", "command"),
    shown=("name", "http", "status", "timeout", "interval", "within"),
)

PROPERTY = Table(
    recipe.Property,
    "A value that the operator sets at deployment.",
    (
        Key("name", PROPERTY_NAME, "Its name; the environment variable is `SITE_TITLE`.", '"site-title"'),
        Key("type", Choice(("string", "integer", "boolean", "choice")), "What it may hold.", '"integer"'),
        Key("label", LINE, "What a form shows above it.", '"Title"'),
        Key("description", LINE, "What a form shows below it.", '"Shown at the top of every page."'),
        Key("default", Scalar(booleans=True), "What holds if the operator sets nothing.", '"My site"', default="none"),
        Key("required", Boolean(), "Whether the appliance may not start without it.", "true"),
        Key("secret", Boolean(), "Whether it is hidden in forms, logs and listings.", "true"),
        Key("pattern", Expression(), "What a string must match as a whole.", '".{1,40}"'),
        Key("minimum", Whole(), "The smallest integer.", "1", default="none"),
        Key("maximum", Whole(), "The largest integer.", "100", default="none"),
        Key("choices", _list(LINE, "texts"), "What may be chosen.", '["small", "large"]'),
    ),
    shown=("name", "label", "description", "default", "pattern"),
)

MACHINE = Table(
    recipe.MachineDefaults,
    "What a virtual machine gets if nobody says otherwise.",
    (
        Key("memory", Size("64M", "4T", unit=MEBIBYTE), "Its memory.", '"1G"', default='`"512M"`'),
        Key("cpus", Whole(1, 512), "Its processors.", "2"),
    ),
)

DISK = Table(
    recipe.Disk,
    "The sizes of the disk's partitions.",
    (
        Key(
            "slot",
            Size("16M"),
            "Each of the two system slots. It cannot grow later: leave room for new versions.",
            '"512M"',
            default='half more than the system has, `"256M"` at least',
        ),
        Key(
            "data",
            Size("64M"),
            "The data partition as built; it grows to the disk at first boot.",
            '"4G"',
            default='`"1G"`',
        ),
        Key(
            "esp",
            Size("40M", "2G"),
            "The EFI system partition, with the kernel images of both slots.",
            '"128M"',
            default='`"64M"`',
        ),
    ),
)

SLIM = Table(
    recipe.Slim,
    "What is left out of the image; `slim = false` leaves everything in. `jeos size` shows what each rule gains.",
    (
        Key("enabled", Boolean(), "Whether anything is left out.", "false"),
        Key("keep", _list(PATTERN, "path patterns"), "Paths that no rule removes.", '["/usr/share/doc/nginx/*"]'),
        Key("skip", _list(RULE, "rule names"), "Rules not to apply.", '["locales"]'),
        Key("remove", _list(PATTERN, "path patterns"), "More paths to remove.", '["/usr/share/nginx/html/*"]'),
    ),
)

SECURE_BOOT = Table(
    recipe.SecureBoot,
    "The vendor's own Secure Boot signature on the boot loader and the kernel images.",
    (
        Key("key", SOURCE, "The private key, a PEM file.", '"keys/boot.key"'),
        Key("certificate", SOURCE, "The certificate, a PEM file.", '"keys/boot.crt"'),
    ),
)

UPDATE = Table(
    recipe.Update,
    "Where the appliance's updates come from. An operator overrides these in `/etc/jeos/update.toml` of a machine.",
    (
        Key(
            "channel",
            URL,
            "The address of the vendor's channel; https:// brings `ca-certificates` along.",
            '"https://updates.example/hello"',
        ),
        Key("root", SOURCE, "The vendor's TUF root metadata, which trust begins with.", '"keys/root.json"'),
        Key("ring", LABEL, "The ring whose releases are taken.", '"beta"'),
        Key("check", PERIOD, "How often the channel is asked, give or take a tenth.", '"1h"'),
        Key("window", WINDOW, "When the machine may restart into a new version, local time.", '"Sun 02:00-05:00"'),
        Key("restart", Boolean(), "Whether it restarts by itself; else the operator does.", "false"),
        Key("hold", PERIOD, "How long all health checks must hold until a new version is kept.", '"5m"'),
        Key("bandwidth", RATE, "The most that downloads may take of the line.", '"500K"'),
        Key(
            "snapshot",
            _list(DATA, "paths of folders"),
            "Data that is copied before a new version touches it, and put back, with /etc, if the machine goes back.",
            '["/var/lib/app"]',
        ),
    ),
)


CATALOGUE = Table(
    recipe.Catalogue,
    "What a catalogue of appliances shows: `jeos publish --to` sends it. Nothing of it comes into the image.",
    (
        Key("title", LINE, "What people call it.", '"Web shop"', default="its `name`"),
        Key("readme", SOURCE, "The page that describes it, as a file in Markdown.", '"README.md"'),
        Key(
            "changes",
            SOURCE,
            "Its changelog, as a file in Markdown; of it, the part under the heading with the version is sent.",
            '"CHANGELOG.md"',
        ),
        Key("licence", LINE, "The licence of what the vendor made, best as an SPDX expression.", '"Apache-2.0"'),
        Key("homepage", WEB, "The page of its makers about it.", '"https://shop.example/"'),
        Key("tags", _list(LABEL, "tags"), "Words that it is found by, at most five.", '["web", "shop"]'),
    ),
)


def _tables(table: Table, what: str) -> ListOf:
    return ListOf(table, f"written as [[{what}]] tables")


RECIPE = Table(
    recipe.Recipe,
    "The recipe of a virtual appliance.",
    (
        Key("name", NAME, "The appliance's name; also its host name and the start of its files' names.", '"hello"'),
        Key("version", VERSION, "Its version.", '"1.0.0"'),
        Key("vendor", LINE, "Who makes it.", '"Example Ltd"'),
        Key("summary", LINE, "What it is, in one line.", '"A web site behind nginx"'),
        Key("suite", SUITE, "The Debian release that it is made from.", '"bookworm"'),
        Key(
            "mirror",
            URL,
            "The Debian mirror.",
            '"https://mirror.example/debian"',
            default="`JEOS_MIRROR`, else what this machine's apt uses",
        ),
        Key(
            "security-mirror",
            URL,
            "The mirror of Debian's security updates.",
            '"https://mirror.example/debian-security"',
            default="as for `mirror`",
        ),
        Key(
            "keyring",
            SOURCE,
            "The OpenPGP keys that sign the Debian mirror, as a file.",
            '"keys/debian.gpg"',
            default="the host's `debian-archive-keyring`",
        ),
        Key(
            "components",
            _list(COMPONENT, "component names", shortest=1),
            "The mirror's components.",
            '["main", "contrib"]',
        ),
        Key(
            "packages",
            _list(PACKAGE, "package names"),
            "Debian packages to install, with what they depend on.",
            '["nginx"]',
        ),
        Key("exclude", _list(PACKAGE, "package names"), "Debian packages that must not come in.", '["exim4-base"]'),
        Key(
            "debs",
            _list(DEB, "paths of .deb files"),
            "Debian packages of your own, as files.",
            '["dist/app_1.0_amd64.deb"]',
        ),
        Key(
            "wheels",
            _list(WHEEL, "paths of .whl files"),
            "Python wheels, installed for the image's Python.",
            '["dist/app-1.0-py3-none-any.whl"]',
        ),
        Key("eula", SOURCE, "The licence that an operator agrees to, as a text file.", '"EULA.txt"'),
        Key("slim", Switch(SLIM), SLIM.doc, "false", default="every rule applies"),
        Key("repository", _tables(REPOSITORY, "repository"), REPOSITORY.doc, "", field="repositories"),
        Key("file", _tables(FILE, "file"), FILE.doc, "", field="files"),
        Key("command", _tables(COMMAND, "command"), COMMAND.doc, "", field="commands"),
        Key("user", _tables(USER, "user"), USER.doc, "", field="users"),
        Key("systemd", SYSTEMD, SYSTEMD.doc, ""),
        Key("unit", _tables(UNIT_TABLE, "unit"), UNIT_TABLE.doc, "", field="units"),
        Key("kernel", KERNEL, KERNEL.doc, ""),
        Key("sysctl", SYSCTL, "Kernel settings, applied at boot.", '{ "net.ipv4.ip_forward" = 1 }'),
        Key("port", _tables(PORT, "port"), PORT.doc, "", field="ports"),
        Key("health", _tables(HEALTH, "health"), HEALTH.doc, ""),
        Key("property", _tables(PROPERTY, "property"), PROPERTY.doc, "", field="properties"),
        Key("machine", MACHINE, MACHINE.doc, ""),
        Key("disk", DISK, DISK.doc, ""),
        Key("secure-boot", SECURE_BOOT, SECURE_BOOT.doc, "", default="nothing is signed"),
        Key("update", UPDATE, UPDATE.doc, "", default="the image has no part that updates it"),
        Key("catalogue", CATALOGUE, CATALOGUE.doc, ""),
    ),
    words="a recipe",
)


def table_of(key: Key) -> Table | None:
    """Return the table that a key of the recipe holds, once or in a list; None for other keys."""
    shape = key.shape
    if isinstance(shape, ListOf) and isinstance(shape.element, Table):
        return shape.element
    if isinstance(shape, Switch):
        return shape.table
    return shape if isinstance(shape, Table) else None


def elsewhere(name: str) -> str:
    """Return where a key belongs that stands in a table without such a key; "" if it is no key at all."""
    if any(key.name == name and table_of(key) is None for key in RECIPE.keys):
        return f"here; {name} stands at the top, before the first [table]"
    places = [
        key.name
        for key in RECIPE.keys
        for inner in [table_of(key)]
        if inner and name in {key.name for key in inner.keys}
    ]
    return f"here; there is one in {' and '.join(places)}" if places else ""
