#!/usr/bin/env python3
"""The layer gates: who may include whom, what a pure room may call, that the map names every room, and that every
parser is fuzzed.

Each gate is a function from a tree to a list of violations. self_test() plants a violation of each kind in
a scratch tree and demands that it is found, so that a gate that has gone blind shows.

usage: layers.py [BUILD_DIR]     prints one line per gate, ends with 1 when one is violated
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PURE = ["base", "sip", "msrp", "body", "procedure", "client", "server", "switch"]

# room -> rooms it may include, besides itself
ARROWS = {
    "base": [],
    "sip": ["base"],
    "msrp": ["base"],
    "body": ["base"],
    "procedure": ["sip", "msrp", "body", "base"],
    "client": ["procedure", "sip", "msrp", "body", "base"],
    "server": ["procedure", "sip", "msrp", "body", "base"],
    "switch": ["procedure", "sip", "msrp", "body", "base"],
    "embed": ["client", "procedure", "sip", "msrp", "body", "base", "io"],
    "io": ["base"],
    "store": ["base"],
    "config": ["base"],
    "admin": ["base"],
}
# The public headers depend on nothing, so every room may include them.
PUBLIC = "confab"

# Headers of libraries that touch the world, and the one room (if any) that may include them.
FOREIGN = {
    r"uv\.h": ["io"],
    r"openssl/": ["io"],
    r"ares\.h": ["io"],
    r"sqlite3\.h": ["store"],
    r"jansson\.h": ["admin"],
    r"libxml/": ["body"],
    r"pthread\.h|threads\.h|sys/socket\.h|sys/epoll\.h": ["io", "admin"],
}

# Symbols of the C library that touch nothing but the memory they are given.
HARMLESS = set("""
    memcpy memmove memset memcmp memchr memrchr memmem mempcpy rawmemchr explicit_bzero
    strlen strnlen strcmp strncmp strcasecmp strncasecmp strchr strrchr strchrnul strstr strcasestr
    strspn strcspn strpbrk strcpy strncpy stpcpy stpncpy strcat strncat strdup strndup strtok_r
    strtol strtoul strtoll strtoull strtod
    malloc calloc realloc reallocarray free qsort bsearch abort __assert_fail
    snprintf vsnprintf inet_pton inet_ntop gmtime_r timegm
    tolower toupper __ctype_b_loc __ctype_tolower_loc __ctype_toupper_loc abs labs
    __errno_location __stack_chk_fail _GLOBAL_OFFSET_TABLE_
    __memcpy_chk __memmove_chk __memset_chk __strcpy_chk __strncpy_chk __snprintf_chk __vsnprintf_chk
    __isoc99_sscanf sscanf __isoc23_strtol __isoc23_strtoul __isoc23_strtoull
    __popcountdi2
""".split())
# Named only so that the message can say what is wrong with it; a symbol that stands in neither list is refused too.
DENIED = [
    ("socket", r"socket|socketpair|bind|listen|accept4?|connect|shutdown|send(to|msg|mmsg|file)?|recv(from|msg|mmsg)?"
               r"|[gs]etsockopt|getaddrinfo|freeaddrinfo|getnameinfo|gethostby\w+|getsockname|getpeername|poll|ppoll"
               r"|select|pselect|epoll_\w+|eventfd|pipe2?"),
    ("clock", r"time|clock|clock_\w+|gettimeofday|localtime(_r)?|ctime(_r)?|mktime|strftime|sleep|usleep|nanosleep"
              r"|alarm|timer_\w+|timerfd_\w+|setitimer"),
    ("random", r"s?rand(_r)?|s?random(_r)?|[dejlmn]rand48(_r)?|getrandom|getentropy|arc4random\w*"),
    ("file", r"(f|fd|p|tmp|mem)?open(at|64|at64|dir)?|creat|fopen64|close|closedir|fclose|read|pread|readv|write|pwrite"
             r"|writev|unlink|rename|stat|fstat|lstat|mkdir|remove|mkstemp|access|chmod|fread|fwrite|fgets|getline"
             r"|fseek|ftell|fflush|fcntl|ioctl|mmap|munmap|mprotect|dup[23]?"),
    ("printing", r"v?f?printf|v?dprintf|__v?f?printf_chk|puts|fputs|fputc|putc|putchar|perror|syslog|std(in|out|err)"),
    ("process", r"fork|vfork|exec\w+|posix_spawn\w*|system|kill|raise|signal|sigaction|wait(pid)?|exit|_exit|getenv"
                r"|setenv|getpid"),
    ("thread", r"pthread_\w+|thrd_\w+|mtx_\w+|cnd_\w+|sem_\w+"),
    ("loop", r"uv_\w+"),
    ("TLS", r"(SSL|TLS|EVP|BIO|X509|RAND|HMAC|MD5|SHA\d+|OPENSSL|CRYPTO|ERR|OSSL)_\w+"),
    ("SQL", r"sqlite3_\w+"),
    ("JSON", r"json_\w+"),
]
LIBXML = re.compile(r"_*xml[A-Z_]\w*|html[A-Z]\w*")
# What the compiler itself puts in when it instruments the code.
INSTRUMENTATION = re.compile(r"__(asan|ubsan|tsan|lsan|sanitizer|gcov|llvm)_\w+|__odr_asan.*|__gcov\w+")


def why_denied(symbol):
    for kind, pattern in DENIED:
        if re.fullmatch(pattern, symbol):
            return kind
    return None


def nm(archive, option):
    """[(member, symbol)] of an archive."""
    out = subprocess.run(["nm", option, "--format=posix", "-A", str(archive)], check=True,
                         capture_output=True, text=True).stdout
    found = []
    for line in out.splitlines():
        place, _, rest = line.partition(": ")
        if rest:
            member = place[place.find("[") + 1:].rstrip("]")
            found.append((member, rest.split()[0]))
    return found


def symbols(src, build):
    """Violations of purity: what the pure archives ask of the world."""
    violations = []
    archives = {}
    for room in PURE:
        archive = build / f"lib{room}.a"
        if archive.exists():
            archives[room] = archive
        elif any((src / room).rglob("*.c")):
            violations.append(f"{room}: has sources, but {archive} was not built")
    own = {symbol for archive in archives.values() for _, symbol in nm(archive, "--defined-only")}
    for room, archive in archives.items():
        for member, symbol in nm(archive, "-u"):
            if symbol in own or symbol in HARMLESS or INSTRUMENTATION.fullmatch(symbol):
                continue
            if LIBXML.fullmatch(symbol):
                if room != "body":
                    violations.append(f"{room}: {member} calls {symbol}: libxml2 belongs to body alone")
                continue
            kind = why_denied(symbol)
            if kind:
                violations.append(f"{room}: {member} calls {symbol}: a pure room has no {kind}")
            else:
                violations.append(f"{room}: {member} calls {symbol}: no room has it, and it is not known to be harmless "
                                  f"(if it touches nothing but memory, add it to HARMLESS in tests/layers.py)")
    return violations


INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')


def includes_of(path):
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        hit = INCLUDE.match(line)
        if hit:
            yield number, hit.group(1), hit.group(2)


def judge_include(room, quote, target):
    """What is wrong with this include in that room, or None."""
    if quote == "<":
        for pattern, allowed in FOREIGN.items():
            if re.match(pattern, target) and room not in allowed:
                return f"<{target}> is not for {room}"
        return None
    other, slash, _ = target.partition("/")
    if not slash:
        return f'"{target}": write it as "room/file.h"'
    if other in (room, PUBLIC):
        return None
    if other not in ARROWS:
        return f'"{target}": there is no room {other}'
    if other not in ARROWS[room]:
        return f'"{target}": {room} may not include {other}'
    return None


def includes(top):
    """Violations of the arrows in src/, and of the rule that a public header stands alone."""
    violations = []
    src = top / "src"
    for path in sorted(src.rglob("*.[ch]")):
        room = path.relative_to(src).parts[0]
        where = path.relative_to(top)
        if room not in ARROWS:
            violations.append(f"{where}: {room} is not a room that tests/layers.py knows")
            continue
        for number, quote, target in includes_of(path):
            wrong = judge_include(room, quote, target)
            if wrong:
                violations.append(f"{where}:{number}: {wrong}")
    for path in sorted((top / "include").rglob("*.h")):
        for number, quote, target in includes_of(path):
            if quote == '"' and not target.startswith(PUBLIC + "/"):
                violations.append(f'{path.relative_to(top)}:{number}: "{target}": a public header stands alone')
    return violations


def architecture(top):
    """Folders under src/ that ARCHITECTURE.md does not name in full (src/server/core)."""
    try:
        text = (top / "ARCHITECTURE.md").read_text()
    except OSError:
        return ["ARCHITECTURE.md is missing"]
    named = {name.rstrip("/") for name in re.findall(r"\bsrc/[a-z0-9_/]+", text)}
    folders = sorted(path.relative_to(top).as_posix() for path in (top / "src").rglob("*") if path.is_dir())
    violations = [f"{folder}/ is not named in ARCHITECTURE.md" for folder in folders if folder not in named]
    for name in sorted(named):
        if not (top / name).exists() and name.count("/") <= 2:
            violations.append(f"ARCHITECTURE.md names {name}, which is not there")
    return violations


# What reads bytes of others, by its name, in the rooms that do.
PARSER = re.compile(r"\b(\w+_(?:parse|read|decode|feed|unescape|glance)(?:_\w+)?|sip_glance)\(")
PARSING = ["base", "sip", "msrp", "body", "procedure", "config"]
# Those that no target of fuzz/ names, and one that they are reached through.
THROUGH = {
    "config_file_read": "config_text",
    "invitee_list_parse": "procedure_create_conference",
    "invitee_list_parse_refer": "procedure_refer",
    "invitee_parse": "procedure_create_conference",
    "invitee_parse_refer": "procedure_refer",
    "negotiate_read": "client_session",
    "negotiate_read_kind": "server_sessions",
    "option_parse": "config_text",
    "replaces_read": "client_session",
    "session_timer_read_answer": "client_session",
    "session_timer_read_refusal": "client_session",
    "xml_parse": "body_imdn",
}


def fuzzed(top):
    """Parsers that no fuzz target names or stands for, and targets without a corpus."""
    violations = []
    targets = {path.stem: path.read_text() for path in (top / "fuzz").glob("*.c") if path.stem != "replay_main"}
    named = set(re.findall(r"\w+", " ".join(targets.values())))
    found = set()
    for room in PARSING:
        for path in sorted((top / "src" / room).rglob("*.h")):
            # Of declarations, not of comments.
            text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
            found |= set(PARSER.findall(text))
    for name in sorted(found):
        if name not in named and THROUGH.get(name) not in targets:
            violations.append(f"{name}: no target in fuzz/ calls it, and THROUGH in tests/layers.py names none")
    for name in sorted(targets):
        folder = top / "fuzz/corpus" / name
        if not folder.is_dir() or not any(folder.iterdir()):
            violations.append(f"fuzz/{name}.c: fuzz/corpus/{name} is empty or not there")
    return violations


def plant(top, files):
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def archive(top, room, text):
    """A room's archive made of one C file."""
    plant(top, {f"src/{room}/planted.c": text})
    subprocess.run(["gcc", "-c", "-O0", "-w", "-o", str(top / f"{room}.o"), str(top / f"src/{room}/planted.c")],
                   check=True)
    subprocess.run(["ar", "rcs", str(top / f"lib{room}.a"), str(top / f"{room}.o")], check=True)


def self_test_symbols(top):
    cases = [
        ("sip", "long time(long *); long f(void) { return time(0); }", "no clock"),
        ("msrp", "int printf(const char *, ...); void f(void) { printf(\"%d\", 1); }", "no printing"),
        ("procedure", "int socket(int, int, int); int f(void) { return socket(1, 2, 3); }", "no socket"),
        ("client", "int open(const char *, int); int f(void) { return open(\"x\", 0); }", "no file"),
        ("server", "int getrandom(void *, long, int); int f(void) { return getrandom(0, 0, 0); }", "no random"),
        ("switch", "int pthread_create(); int f(void) { return pthread_create(); }", "no thread"),
        ("switch", "int EVP_DigestInit(); int f(void) { return EVP_DigestInit(); }", "no TLS"),
        ("base", "int sqlite3_step(); int f(void) { return sqlite3_step(); }", "no SQL"),
        ("base", "int unheard_of(void); int f(void) { return unheard_of(); }", "not known to be harmless"),
        ("sip", "int xmlReadMemory(); int f(void) { return xmlReadMemory(); }", "belongs to body alone"),
        ("body", "int xmlReadMemory(); int f(void) { return xmlReadMemory(); }", None),
        ("sip", "int snprintf(char *, unsigned long, const char *, ...); "
                "int f(char *p) { return snprintf(p, 9, \"%d\", 1); }", None),
    ]
    wrong = []
    for number, (room, text, expected) in enumerate(cases):
        place = top / str(number)
        archive(place, room, text)
        found = symbols(place / "src", place)
        if expected is None and found:
            wrong.append(f"clean {room} was refused: {found}")
        elif expected is not None and not any(expected in violation for violation in found):
            wrong.append(f"{room}: planted violation was not found ({expected}), got {found}")
    place = top / "unbuilt"
    plant(place, {"src/sip/x.c": ""})
    if not symbols(place / "src", place):
        wrong.append("a room that was not built passed")
    return wrong


def self_test_includes(top):
    cases = [
        ("src/base/x.h", '#include "sip/msg.h"\n', "base may not include sip"),
        ("src/sip/x.c", '#include "msrp/frame.h"\n', "sip may not include msrp"),
        ("src/body/x.c", '  #  include "procedure/leave.h"\n', "body may not include procedure"),
        ("src/server/core/x.c", '#include "client/client.h"\n', "server may not include client"),
        ("src/switch/x.c", '#include "io/loop.h"\n', "switch may not include io"),
        ("src/store/x.c", '#include "config/file.h"\n', "store may not include config"),
        ("src/client/x.c", '#include "embed/state.h"\n', "client may not include embed"),
        ("src/sip/x.c", "#include <uv.h>\n", "<uv.h> is not for sip"),
        ("src/sip/x.c", "#include <libxml/parser.h>\n", "is not for sip"),
        ("src/sip/x.c", '#include "msg.h"\n', "write it as"),
        ("src/sip/x.c", '#include "sipp/msg.h"\n', "there is no room sipp"),
        ("src/utils/x.c", "\n", "is not a room"),
        ("include/confab/x.h", '#include "client/client.h"\n', "stands alone"),
        ("src/client/x.c", '#include "confab/client.h"\n#include "sip/msg.h"\n#include <string.h>\n', None),
    ]
    wrong = []
    for number, (name, text, expected) in enumerate(cases):
        place = top / str(number)
        plant(place, {name: text})
        found = includes(place)
        if expected is None and found:
            wrong.append(f"clean {name} was refused: {found}")
        elif expected is not None and not any(expected in violation for violation in found):
            wrong.append(f"{name}: planted violation was not found ({expected}), got {found}")
    return wrong


def self_test_architecture(top):
    wrong = []
    plant(top, {"src/server/core/x.c": "", "ARCHITECTURE.md": "src/server/core/ only its child is named"})
    if architecture(top) != ["src/server/ is not named in ARCHITECTURE.md"]:
        wrong.append("a folder that is not named passed")
    plant(top, {"ARCHITECTURE.md": "src/server/, src/server/core/ and src/gone/"})
    if architecture(top) != ["ARCHITECTURE.md names src/gone, which is not there"]:
        wrong.append("a folder that is gone passed")
    plant(top, {"ARCHITECTURE.md": "`src/server/` and src/server/core."})
    if architecture(top):
        wrong.append("a complete map was refused")
    return wrong


def self_test_fuzzed(top):
    wrong = []
    plant(top, {"src/sip/x.h": "/* not_a_parse( */ int thing_parse(struct view v);\nint xml_parse(int a);",
                "fuzz/other.c": "other", "fuzz/corpus/other/a": "a"})
    found = fuzzed(top)
    if len(found) != 2 or "thing_parse" not in found[0] or "xml_parse" not in found[1]:
        wrong.append(f"parsers without a target passed: {found}")
    plant(top, {"fuzz/thing.c": "thing_parse(v)", "fuzz/body_imdn.c": "imdn", "fuzz/corpus/body_imdn/a": "a"})
    if [v for v in fuzzed(top) if "fuzz/corpus/thing" not in v] or not fuzzed(top):
        wrong.append(f"a target without a corpus passed, or one with: {fuzzed(top)}")
    plant(top, {"fuzz/corpus/thing/a": "a"})
    if fuzzed(top):
        wrong.append(f"whole targets were refused: {fuzzed(top)}")
    return wrong


def self_test(which):
    """What the named gate failed to see of its planted violations; empty where it sees all."""
    with tempfile.TemporaryDirectory(prefix="layers-") as scratch:
        return {"symbols": self_test_symbols, "includes": self_test_includes,
                "architecture": self_test_architecture, "fuzzed": self_test_fuzzed}[which](Path(scratch))


def gates(top, build):
    """[(name, violations)] of every gate and every gate's self-test."""
    return [
        ("layers: pure rooms call nothing of the world", symbols(top / "src", build)),
        ("layers: that gate can fail (symbols)", self_test("symbols")),
        ("layers: includes follow the arrows", includes(top)),
        ("layers: that gate can fail (includes)", self_test("includes")),
        ("layers: ARCHITECTURE.md names every folder of src", architecture(top)),
        ("layers: that gate can fail (architecture)", self_test("architecture")),
        ("layers: each parser has a fuzz target, each target a corpus", fuzzed(top)),
        ("layers: that gate can fail (fuzzed)", self_test("fuzzed")),
    ]


def main():
    top = Path(__file__).resolve().parent.parent
    build = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else top / "build/dev"
    bad = 0
    for name, violations in gates(top, build):
        print(("not ok " if violations else "ok ") + name)
        for violation in violations:
            print("  " + violation)
        bad += bool(violations)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
