"""Publish a build: its blobs, patches from the releases before it, and last the signed word that it is there.

    published = publish(built, backend, keys=keys, offer=Offer(ring="beta", percent=10))

Everything but the timestamp has a name that is never used for anything else, and the timestamp comes last: readers see
the old release or the new one. What takes long is noted in the channel as it is done, so that a publishing that was cut
off goes on where it was, from any machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jeos.channel import catalogue, contents, layout, whole
from jeos.channel.backend import Backend
from jeos.channel.blobs import Notes, blob_of, is_there, put_blob
from jeos.channel.built import Built
from jeos.channel.catalogue import STABLE, Listed, Terms
from jeos.channel.change import Keys, check_signers, commit, offer_whole
from jeos.channel.metadata import open_repository
from jeos.channel.streams import Memory
from jeos.core import log
from jeos.core.errors import InputError, StoreError, TrustError
from jeos.model import release as releases
from jeos.model.release import Blob, Patch, Release, System
from jeos.model.version import newer, sort_key

PATCHES = 5  # releases before the new one that it gets patches from


@dataclass(frozen=True, slots=True)
class Offer:
    """Whom the new release is for, and how it is published.

    `older` lets it be older than what is there, `whole_images` writes those for systemd-sysupdate too. `notes` are for
    who looks at the release; `patches` is from how many earlier releases patches are made.
    """

    ring: str = STABLE
    percent: int = 100
    critical: bool = False
    notes: str = ""
    older: bool = False
    whole_images: bool = False
    patches: int = PATCHES


@dataclass(frozen=True, slots=True)
class Published:
    """What is listed now; `new` is false if the very same release was there already."""

    listed: Listed
    new: bool


def publish(built: Built, backend: Backend, *, keys: Keys, offer: Offer, work: Path) -> Published:
    """Publish a build that was proved. `work` is a folder for temporary files.

    Raises InputError if the channel is another appliance's, has the version with other content, or has a newer one, and
    if the build's machines would not trust the channel; BusyChannelError if somebody else changes it.
    """
    with backend.lock():
        repository = open_repository(backend, roots=keys.roots)
        listed = catalogue.catalogue(backend, repository.targets())
        check_trust(built, keys.roots)
        there = check_place(built, listed, older=offer.older)
        if there is not None:
            _write_whole(built, backend, listed, keys=keys, offer=offer, work=work)
            return Published(there, new=False)
        check_signers(keys)
        terms = Terms(
            version=built.image.version,
            date=built.time,
            ring=offer.ring,
            percent=offer.percent,
            critical=offer.critical,
        )
        release = _write_blobs(built, backend, listed, offer=offer, work=work)
        path = layout.release_path(release.name, release.version)
        target = repository.add_target(path, releases.dump(release), custom=catalogue.custom_of(terms))
        commit(repository, keys=keys)  # from now on readers see it
        new = Listed(path=path, sha256=target.sha256, release=release, terms=terms)
        _write_whole(built, backend, [new, *listed], keys=keys, offer=offer, work=work)
        backend.delete(note_name(built))
    return Published(new, new=True)


def check_trust(built: Built, roots: Sequence[bytes]) -> None:
    """Make sure that machines with this release can follow the channel. Raises InputError if they could not."""
    if built.trust not in roots:
        raise InputError(
            f"{built.image.name} {built.image.version} trusts another root than the one that signs this channel: its "
            "machines could never update again",
            hint="name the keys' root.json in [update] of the recipe and build again, or give the right --keys",
        )


def check_place(built: Built, listed: Sequence[Listed], *, older: bool) -> Listed | None:
    """Return the release if the very same one is listed already, and None if it has its place in the channel.

    Raises InputError if it has none: another appliance's channel, a version with other content, one that is not newer.
    """
    image = built.image
    for one in listed:
        if one.release.name != image.name:
            raise InputError(
                f"the channel is that of {one.release.name}, not of {image.name}",
                hint="each appliance has a channel of its own: name another with --channel",
            )
        if one.version == image.version:
            if one.release.root_hash == image.root_hash and one.release.kernel == blob_of(built.kernel):
                return one
            raise InputError(
                f"{image.name} {image.version} was published already, with other content",
                hint="a version is published once: raise `version` in the recipe, and build again",
            )
    newest = max((one.version for one in listed), key=sort_key, default="")
    if newest and not older and not newer(image.version, newest):
        raise InputError(
            f"{image.version} is not newer than {newest}, which the channel has: no machine would take it",
            hint="raise `version` in the recipe; --older publishes it all the same, for machines that are older still",
        )
    return None


def predecessors(listed: Sequence[Listed], version: str, *, count: int) -> list[Listed]:
    """Return the releases that patches are made from: the `count` newest older ones, withdrawn (but running) or not."""
    older = [one for one in listed if newer(version, one.version)]
    return sorted(older, key=lambda one: sort_key(one.version), reverse=True)[:count]


def note_name(built: Built) -> str:
    """Return where the notes about publishing a build are."""
    return f"{layout.WORK}{built.image.name}_{built.image.version}.{built.image.root_hash}.json"


def _write_blobs(built: Built, backend: Backend, listed: Sequence[Listed], *, offer: Offer, work: Path) -> Release:
    """Write all that the release is made of, and return its description."""
    notes = Notes(backend, note_name(built))
    # Never from the notes, which nobody signed: nothing else says what a machine's kernel image has to be.
    kernel = blob_of(built.kernel)
    if not is_there(backend, kernel):
        put_blob(backend, built.kernel)
    known = [one.release for one in listed]
    with log.step("packs") as step:
        index, *packs = notes.known("packs") or notes.add(
            "packs",
            contents.write_packs(
                built, backend, earlier=known, progress=lambda done, of: step.update(f"{done >> 20} of {of >> 20} MiB")
            ),
        )
        step.done(f"{len(packs)} packs, {sum(pack.length for pack in packs) >> 10} KiB")
    describe = partial(_describe, built, kernel=kernel, index=index, packs=tuple(packs), notes=offer.notes)
    patches = []
    memory = Memory()
    for old in predecessors(listed, built.image.version, count=offer.patches):
        with log.step("patch") as step:
            step.update(f"from {old.version}")
            make = partial(contents.make_patch, old.release, built, backend, work=work, memory=memory)
            try:
                blob = notes.blob(f"patch from {old.release.root_hash}", make)
            except (StoreError, TrustError, InputError) as error:  # machines with it fetch what they lack from packs
                log.warn(f"{old.version} in {backend.place} is damaged, and gets no patch: {error.message}")
                continue
            patches.append(Patch(old.release.root_hash, old.version, blob))
            step.done(f"from {old.version}, {blob.length / 1024:.1f} KiB")
    release = describe(patches=tuple(patches))
    problems = list(contents.check_contents(backend, release, work=work)) if notes.used else []
    if problems:
        log.warn(f"what an earlier publishing noted is not this build, and all is made again: {problems[0]}")
        backend.delete(note_name(built))
        return _write_blobs(built, backend, listed, offer=offer, work=work)
    return release


def _describe(
    built: Built, *, kernel: Blob, index: Blob, packs: tuple[Blob, ...], patches: tuple[Patch, ...], notes: str
) -> Release:
    image = built.image
    return Release(
        name=image.name,
        version=image.version,
        architecture=image.architecture,
        date=built.time,
        root_hash=image.root_hash,
        system=System(
            size=built.system.size,
            uuid=built.uuid,
            label=built.label,
            time=built.time,
            hashes_size=built.hashes.size,
            hashes_uuid=built.superblock.uuid,
            salt=built.superblock.salt.hex(),
        ),
        kernel=kernel,
        index=index,
        packs=packs,
        patches=patches,
        notes=notes,
    )


def _write_whole(
    built: Built, backend: Backend, listed: Sequence[Listed], *, keys: Keys, offer: Offer, work: Path
) -> None:
    """Write the whole images, if they are wanted, and the list of all that everybody may have."""
    if offer.whole_images:
        whole.put(backend, built, work=work)
    offer_whole(backend, listed, keys=keys, start=offer.whole_images)
