#include "config/option.h"

enum { HELP_COLUMNS = 80 };

/* The text broken into lines at blanks, each after prefix. */
static void put_wrapped(struct buf *out, const char *prefix, struct view text)
{
	size_t room = HELP_COLUMNS - strlen(prefix), column = 0;

	while (text.n) {
		struct view word = view_cut(&text, ' ');

		if (column && column + 1 + word.n > room) {
			buf_putc(out, '\n');
			column = 0;
		}
		buf_puts(out, column ? " " : prefix);
		buf_put(out, word);
		column += word.n + (column ? 1 : 0);
	}
	buf_putc(out, '\n');
}

static void put_words(struct buf *out, const struct option_spec *spec)
{
	for (size_t i = 0; spec->words[i]; i++) {
		buf_puts(out, i ? ", " : "");
		buf_puts(out, spec->words[i]);
	}
}

/* What may be written there: "number, 1..64". */
static void put_kind(struct buf *out, const struct option_spec *spec)
{
	static const char *const kinds[] = {
		[OPTION_STRING] = "text",
		[OPTION_BOOL] = "yes or no",
		[OPTION_U32] = "number",
		[OPTION_SIZE] = "bytes, with an optional K, M or G",
		[OPTION_DURATION] = "time: ms, s, m or h",
		[OPTION_IP] = "IP address",
		[OPTION_ADDR] = "IP address with an optional port",
		[OPTION_ENUM] = "one of",
		[OPTION_STRING_LIST] = "list",
		[OPTION_IP_LIST] = "list of IP addresses",
		[OPTION_ENUM_SET] = "list of",
		[OPTION_LISTEN_LIST] =
			"list of udp:ADDRESS:PORT, tcp:ADDRESS:PORT or tls:ADDRESS:PORT",
	};

	buf_puts(out, kinds[spec->type]);
	switch (spec->type) {
	case OPTION_U32:
	case OPTION_SIZE:
	case OPTION_DURATION:
		buf_puts(out, ", ");
		option_put_amount(out, spec->type, spec->min);
		buf_puts(out, "..");
		option_put_amount(out, spec->type, spec->max);
		break;
	case OPTION_ENUM:
	case OPTION_ENUM_SET:
		buf_putc(out, ' ');
		put_words(out, spec);
		break;
	default:
		break;
	}
}

void option_help(const struct option_table *table, struct buf *out)
{
	buf_putf(out,
		 "# %s: lines \"key = value\". What follows # is a comment. A value that\n"
		 "# contains # stands in \"quotes\". Every line below shows a default.\n",
		 table->file);
	for (size_t i = 0; i < table->n; i++) {
		const struct option_spec *spec = &table->specs[i];

		buf_putc(out, '\n');
		put_wrapped(out, "# ", view_str(spec->doc));
		buf_puts(out, "# (");
		put_kind(out, spec);
		buf_puts(out, ")\n");
		buf_putf(out, "%s%s =%s%s\n", spec->preset[0] ? "" : "#", spec->key,
			 spec->preset[0] ? " " : "", spec->preset);
	}
}

/* Roff takes a backslash as its own, a leading dot or quote as a request, and may turn a plain
 * hyphen into a typographic one. */
static void put_roff(struct buf *out, struct view text)
{
	if (text.n && (text.p[0] == '.' || text.p[0] == '\''))
		buf_puts(out, "\\&");
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\\')
			buf_puts(out, "\\e");
		else if (text.p[i] == '-')
			buf_puts(out, "\\-");
		else
			buf_putc(out, text.p[i]);
	}
}

static void put_title(struct buf *out, const char *file)
{
	struct view name = view_str(file), rest = name;

	buf_puts(out, ".TH ");
	name = view_cut(&rest, '.');
	for (size_t i = 0; i < name.n; i++)
		buf_putc(out,
			 (char)(name.p[i] >= 'a' && name.p[i] <= 'z' ? name.p[i] - 32 : name.p[i]));
	buf_puts(out, ".CONF 5 \"\" Confab \"Confab manual\"\n");
}

void option_man(const struct option_table *table, struct buf *out)
{
	put_title(out, table->file);
	buf_putf(out, ".SH NAME\n%s \\- configuration of %s\n.SH DESCRIPTION\n", table->file,
		 table->program);
	buf_putf(out,
		 "Lines of the form\n.PP\n.RS\n.I key\n=\n.I value\n.RE\n.PP\n"
		 "What follows # at the start of a line or after a blank is a comment. A value "
		 "that\n"
		 "contains # stands in double quotes. Lists are separated by commas. A key stands\n"
		 "once. With\n.B \\-\\-check\\-config\n.B %s\nnames the line and the key of each "
		 "mistake.\n.SH KEYS\n",
		 table->program);
	for (size_t i = 0; i < table->n; i++) {
		const struct option_spec *spec = &table->specs[i];
		struct buf kind;

		buf_init(&kind, 512);
		put_kind(&kind, spec);
		buf_puts(out, ".TP\n.B ");
		put_roff(out, view_str(spec->key));
		buf_putc(out, '\n');
		put_roff(out, view_str(spec->doc));
		buf_puts(out, "\nValue: ");
		put_roff(out, buf_view(&kind));
		buf_puts(out, ". Default: ");
		put_roff(out, spec->preset[0] ? view_str(spec->preset) : VIEW("none"));
		buf_puts(out, ".\n");
		buf_fini(&kind);
	}
	buf_putf(out, ".SH SEE ALSO\n.BR %s (8),\n.BR confabctl (1)\n", table->program);
}
