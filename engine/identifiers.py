"""Identifiers: what in a text tells who somebody is. The check of a redaction and the making of a packet both ask here.

People hide names without meaning to: a blank between two characters, full-width digits, a number with dashes, the
traditional form, the name in Latin letters. Texts are compared in a plain form, and every finding knows where it stands.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from pypinyin import lazy_pinyin

COVERED = "〔已遮盖〕"
_SKIPPED = frozenset("·•・‧∙-—–－_.*|~`'’\"")  # between the characters of a name or a number these say nothing
_BREAK = r"[\s./—–-]?"
_BIRTHDAY = rf"{_BREAK}(?:0[1-9]|1[0-2]){_BREAK}(?:0[1-9]|[12]\d|3[01])"
# Area, day of birth, sequence, check (GB 11643; the older form without century and check), with or without breaks between them.
_RESIDENT = re.compile(
    rf"(?<!\d)[1-9]\d{{5}}{_BREAK}(?:19|20)\d{{2}}{_BIRTHDAY}{_BREAK}\d{{3}}{_BREAK}[\dx](?!\d)"
    rf"|(?<!\d)[1-9]\d{{5}}{_BREAK}\d{{2}}{_BIRTHDAY}{_BREAK}\d{{3}}(?!\d)"
    r"|(?<!\d)[1-9](?:\s?\d){16}\s?[\dx](?!\d)"
)
_PHONE = re.compile(
    r"(?<![\d.])(?:\+?86[\s-]?)?1[3-9]\d(?:[\s.-]?\d{4}[\s.-]?\d{4}|[\s.-]?\d{3}[\s.-]?\d{5})(?!\d)"
    r"|(?<![\d.])\(?0\d{2,3}\)?[\s-]?\d{7,8}(?!\d)"
)
_DATE = re.compile(
    r"(?:19|20)\d{2}\s*[年./—–-]\s*\d{1,2}\s*[月./—–-]\s*\d{1,2}\s*日?"
    r"|\d{1,2}\s*月\s*\d{1,2}\s*[日号]"
    r"|(?:19|20)\d{2}\s*年\s*\d{1,2}\s*月"
    r"|(?<!\d)\d{1,2}/\d{1,2}/(?:19|20)\d{2}(?!\d)"
    r"|(?<!\d)(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)"
    r"|[〇零一二三四五六七八九]{4}年(?:[一二三四五六七八九十]{1,3}月)?(?:[一二三四五六七八九十]{1,3}[日号])?"
)
_PATTERNS = (("number", _RESIDENT), ("telephone", _PHONE))
_ADDRESS_FORMS = ("女士", "先生", "某", "氏", "小姐", "大姐", "老师", "医生", "医师", "主任", "护士")
_ADDRESS_PART = re.compile(r"[^省市区县州盟旗镇乡道村路街巷号栋幢室组\d\s，,。（）()]{2,8}(?:街道|社区|小区|村|镇|乡|路|街|巷)")
_AREA = re.compile(r"^.{1,8}?(?:自治[区州县旗]|[省市区县旗])")
_TAIL = 6  # so long a name of a place is its own, even without its city
_DOUBLE_SURNAMES = frozenset(
    [
        "欧阳",
        "上官",
        "司马",
        "司空",
        "司徒",
        "司寇",
        "诸葛",
        "东方",
        "东郭",
        "东门",
        "西门",
        "南门",
        "南宫",
        "夏侯",
        "皇甫",
        "尉迟",
        "公孙",
        "公羊",
        "公冶",
        "公西",
        "公良",
        "慕容",
        "令狐",
        "长孙",
        "宇文",
        "闻人",
        "端木",
        "百里",
        "呼延",
        "轩辕",
        "完颜",
        "耶律",
        "拓跋",
        "独孤",
        "濮阳",
        "淳于",
        "单于",
        "太叔",
        "申屠",
        "宗政",
        "钟离",
        "鲜于",
        "闾丘",
        "澹台",
        "赫连",
        "万俟",
        "亓官",
        "子车",
        "颛孙",
        "巫马",
        "漆雕",
        "乐正",
        "壤驷",
        "夹谷",
        "宰父",
        "谷梁",
        "段干",
        "羊舌",
        "微生",
        "梁丘",
        "左丘",
        "第五",
        "纳兰",
        "爱新",
    ]
)


@dataclass(frozen=True)
class Terms:
    """Texts that identify somebody in a case: of the subject and her family, of people at work, of places of care."""

    subject: frozenset[str]
    people: frozenset[str]
    places: frozenset[str]

    def all(self) -> list[str]:
        """Return every term, the longest first."""
        return sorted(self.subject | self.people | self.places, key=lambda term: (-len(term), term))


@dataclass(frozen=True)
class Found:
    """A place in a text that identifies somebody, and how: subject, person, place, number, telephone, date."""

    start: int
    end: int
    term: str
    kind: str


def parts_of(text: str) -> set[str]:
    """Return how else a name or an address may be written in a narrative: given name, surname with a form of address, a rare surname, village."""
    return _name_parts(text) | (set(_ADDRESS_PART.findall(text)) if len(text) >= 6 else set())


def places_of(name: str) -> set[str]:
    """Return a place of care with and without the area it begins with: 第一人民医院 is told from 澜州市第一人民医院."""
    found, tail = {name}, name
    while (match := _AREA.match(tail)) is not None:
        tail = tail[match.end() :]
        if len(tail) >= _TAIL:
            found.add(tail)
    return found


def _name_parts(name: str) -> set[str]:
    plain = name.strip()
    if not 2 <= len(plain) <= 12 or not all(_is_han(character) or character == "·" for character in plain):
        return set()
    surname = plain[:2] if plain[:2] in _DOUBLE_SURNAMES else plain.split("·")[0] if "·" in plain else plain[:1]
    given = plain[len(surname) :].lstrip("·")
    parts = {surname + form for form in _ADDRESS_FORMS} | ({surname} if surname in _DOUBLE_SURNAMES else set())
    return parts | ({given} if len(given) > 1 else set())


def find(text: str, wanted: Terms, *, with_dates: bool = True) -> list[Found]:
    """Return every place in a text that identifies somebody, in the order of the text; one that lies in another is left out."""
    plain, at = _plain(text)
    tight, tight_at = _tight(plain, at)
    found: list[Found] = []
    for kind, group in (("subject", wanted.subject), ("person", wanted.people), ("place", wanted.places)):
        for term in group:
            found += (Found(start, end, term, kind) for start, end in _occurrences(_key(term), tight, tight_at))
    names = [name for name in wanted.subject | wanted.people if 2 <= len(name) <= 4 and all(map(_is_han, name))]
    found += _by_sound(plain, at, names, wanted)
    for kind, pattern in (*_PATTERNS, *((("date", _DATE),) if with_dates else ())):
        found += (Found(at[match.start()], at[match.end() - 1] + 1, match.group(), kind) for match in pattern.finditer(plain))
    return _outermost(found)


def cover(text: str, wanted: Terms) -> str:
    """Return a text with every place covered that identifies somebody."""
    pieces, last = [], 0
    for place in find(text, wanted):
        if place.start >= last:
            pieces += [text[last : place.start], COVERED]
        last = max(last, place.end)
    return "".join([*pieces, text[last:]])


def _outermost(found: Iterable[Found]) -> list[Found]:
    kept: list[Found] = []
    for place in sorted(found, key=lambda place: (place.start, -place.end, place.kind)):
        if not kept or place.end > kept[-1].end:
            kept.append(place)
    return kept


def _plain(text: str) -> tuple[str, list[int]]:
    """Return a text in its plain form (compatible, lower case, nothing invisible) and where each character stands in it."""
    characters: list[str] = []
    at: list[int] = []
    for index, character in enumerate(text):
        for one in unicodedata.normalize("NFKC", character):
            if unicodedata.category(one) in ("Cf", "Mn", "Me", "Cc") and one not in "\t\n\r":
                continue
            for low in one.lower():
                characters.append(" " if low.isspace() else low)
                at.append(index)
    return "".join(characters), at


def _tight(plain: str, at: list[int]) -> tuple[str, list[int]]:
    """Return a plain text without blanks and without what may stand between the characters of a name."""
    kept = [(character, place) for character, place in zip(plain, at, strict=True) if character != " " and character not in _SKIPPED]
    return "".join(character for character, _ in kept), [place for _, place in kept]


@lru_cache(maxsize=4096)
def _key(term: str) -> str:
    plain, at = _plain(term)
    return _tight(plain, at)[0]


def _occurrences(key: str, tight: str, at: list[int]) -> Iterator[tuple[int, int]]:
    if len(key) < 2:
        return
    start = tight.find(key)
    while start >= 0:
        yield at[start], at[start + len(key) - 1] + 1
        start = tight.find(key, start + 1)


def _by_sound(plain: str, at: list[int], names: list[str], wanted: Terms) -> Iterator[Found]:
    """Find names by their sound: in traditional characters, or in Latin letters; of three characters at least, else chance says yes."""
    sounds = {_sound(name): name for name in names if len(name) >= 3}
    if not sounds:
        return
    kinds = {name: "subject" if name in wanted.subject else "person" for name in sounds.values()}
    beginning: dict[str, list[tuple[str, ...]]] = {}
    for sound in sounds:
        beginning.setdefault(sound[0], []).append(sound)
    han = [(index, character) for index, character in enumerate(plain) if _is_han(character)]
    heard = tuple(syllable for _, character in han for syllable in _sound(character))
    for start, syllable in enumerate(heard):
        for sound in beginning.get(syllable, ()):
            if heard[start : start + len(sound)] == sound:
                first, last = han[start][0], han[start + len(sound) - 1][0]
                if last - first == len(sound) - 1:
                    yield Found(at[first], at[last] + 1, plain[first : last + 1], kinds[sounds[sound]])
    letters = [(index, character) for index, character in enumerate(plain) if character.isascii() and character.isalpha()]
    latin = "".join(character for _, character in letters)
    for sound, name in sounds.items():
        for spelled in ("".join(sound), "".join((*sound[1:], sound[0]))):
            start = latin.find(spelled)
            if start >= 0 and len(spelled) >= 6:
                first, last = letters[start][0], letters[start + len(spelled) - 1][0]
                if last - first < len(spelled) + 4:
                    yield Found(at[first], at[last] + 1, plain[first : last + 1], kinds[name])


@lru_cache(maxsize=16_384)
def _sound(text: str) -> tuple[str, ...]:
    """Return the syllables of a name or of a character by itself, without tones."""
    return tuple(lazy_pinyin(text))


def _is_han(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff" or ord(character) > 0x1FFFF
