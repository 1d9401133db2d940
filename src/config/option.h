/*
 * config: settings by name. One table of options drives the parser, the checks, the help text and
 * the man page. The room reads one file when asked to and refuses nothing silently: each mistake is
 * collected with its line and key. It may include base alone.
 */
#ifndef CONFAB_CONFIG_OPTION_H
#define CONFAB_CONFIG_OPTION_H

#include "base/addr.h"
#include "base/buf.h"

enum {
	OPTION_TEXT_MAX = 256, /* bytes of one text value, its NUL included */
	OPTION_LIST_MAX = 16,  /* items of a list */
	OPTIONS_MAX = 96,      /* options of a table */
};

/* What an option is, and the type of the field that it fills. */
enum option_type {
	OPTION_STRING,	 /* char[OPTION_TEXT_MAX]; empty where it is not set */
	OPTION_BOOL,	 /* bool: yes/no, true/false, on/off */
	OPTION_U32,	 /* uint32_t: decimal, min..max */
	OPTION_SIZE,	 /* uint64_t, bytes: decimal with an optional K, M or G (powers of 1024) */
	OPTION_DURATION, /* uint64_t, ms: a number and ms, s, m or h; a bare one is in ms */
	OPTION_IP,	 /* struct addr without a port: an IP address */
	OPTION_ADDR,	 /* struct addr: IP address and optional port; 0 where none is said */
	OPTION_ENUM,	 /* uint32_t: index into words */
	OPTION_STRING_LIST, /* struct option_strings: separated by commas */
	OPTION_IP_LIST,	    /* struct option_ips */
	OPTION_ENUM_SET,    /* uint32_t: bit i for words[i] */
	OPTION_LISTEN_LIST, /* struct option_listens: udp:ADDR, tcp:ADDR or tls:ADDR each; port
			       5060, for tls 5061, where none is said */
};

struct option_strings {
	size_t n;
	char item[OPTION_LIST_MAX][OPTION_TEXT_MAX];
};

struct option_ips {
	size_t n;
	struct addr item[OPTION_LIST_MAX];
};

enum option_transport { OPTION_UDP, OPTION_TCP, OPTION_TLS };

struct option_listens {
	size_t n;
	struct option_listen {
		enum option_transport transport;
		struct addr addr;
	} item[OPTION_LIST_MAX];
};

struct option_spec {
	const char *key; /* "msrp.threads" */
	enum option_type type;
	size_t offset;	    /* of its field in the struct that the table binds */
	const char *preset; /* the default, written as in the file; "" leaves the field zero */
	uint64_t min, max;  /* U32, SIZE (bytes), DURATION (ms): inclusive */
	const char *const *words; /* ENUM, ENUM_SET: the words, then NULL */
	const char *doc;	  /* one or more sentences */
};

struct option_table {
	const char *program; /* "confabd" */
	const char *file;    /* "confabd.conf" */
	const struct option_spec *specs;
	size_t n; /* at most OPTIONS_MAX */
};

enum { OPTION_WHY_MAX = 320 };

/* Reads value into the option's field of bound. On E_SYNTAX, E_RANGE or E_LIMIT the field is
 * untouched and why (OPTION_WHY_MAX bytes) says what is wrong: "99 is out of range 1..64". */
int option_parse(const struct option_spec *spec, struct view value, void *bound, char *why);

/* A number of that type in the largest unit that divides it: "1M", "20s". */
void option_put_amount(struct buf *out, enum option_type type, uint64_t x);

/* Sets every field of bound (size bytes) to its default. E_INTERNAL when a default does not parse,
 * which a test excludes. */
int option_defaults(const struct option_table *table, void *bound, size_t size);

/* The spec of that key; NULL where there is none. */
const struct option_spec *option_find(const struct option_table *table, struct view key);

/* The key that is closest in spelling, for "did you mean"; NULL where none is close. */
const char *option_nearest(const struct option_table *table, struct view key);

/* Every option with its default, range and meaning, in the form of a configuration file. Appends to
 * out; failure shows in buf_ok. */
void option_help(const struct option_table *table, struct buf *out);

/* The same as a section 5 man page in roff. */
void option_man(const struct option_table *table, struct buf *out);

#endif
