/*
 * A configuration file: lines "section.key = value", comments from #, no sections. All mistakes of
 * a file are collected, each with its line and key, and none stops the reading.
 */
#ifndef CONFAB_CONFIG_FILE_H
#define CONFAB_CONFIG_FILE_H

#include "config/option.h"

enum {
	CONFIG_MISTAKES_MAX = 32,      /* kept; more are counted */
	CONFIG_MISTAKE_TEXT_MAX = 480, /* bytes of one, its NUL included */
	CONFIG_FILE_MAX = 1024 * 1024, /* bytes of a file */
};

struct config_mistakes {
	size_t n;     /* kept below */
	size_t total; /* found */
	/* "line 12: msrp.threads: 99 is out of range 1..64" */
	char text[CONFIG_MISTAKES_MAX][CONFIG_MISTAKE_TEXT_MAX];
};

/* The line on which each option of the table was set; 0: left at its default. */
struct config_lines {
	unsigned line[OPTIONS_MAX];
};

/* Adds a mistake: line 0 leaves out "line N: ", an empty key leaves out "key: ". Control bytes are
 * shown as '?'. */
void config_mistake(struct config_mistakes *mistakes, unsigned line, const char *key,
		    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Reads text into bound, whose fields hold the defaults already. Keys that are set are noted in
 * lines, mistakes are added to mistakes. Returns 0, or E_SYNTAX where mistakes were found. A NUL
 * in the text is a mistake of its line. */
int config_text_read(const struct option_table *table, struct view text, void *bound,
		     struct config_lines *lines, struct config_mistakes *mistakes);

/* The same from a file. E_IO where it cannot be read (mistakes then say why), E_LIMIT where it is
 * larger than CONFIG_FILE_MAX. */
int config_file_read(const struct option_table *table, const char *path, void *bound,
		     struct config_lines *lines, struct config_mistakes *mistakes);

/* One "key=value" of a command line; its mistakes have no line number. It may set again what a file
 * set. Returns 0 or E_SYNTAX. */
int config_setting_read(const struct option_table *table, struct view setting, void *bound,
			struct config_mistakes *mistakes);

/* Where the option was set, for checks that look at several; 0 for a default or an unknown key. */
unsigned config_line_of(const struct option_table *table, const struct config_lines *lines,
			const char *key);

#endif
