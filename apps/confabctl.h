/* Inside confabctl: shared by its files only. */
#ifndef CONFABCTL_H
#define CONFABCTL_H

enum { EXIT_USAGE = 2 };

/* To standard error; returns status, for the callers to return. */
int ctl_complain(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- confabctl_tls.c: "tls" and what follows it; the exit status --- */
int ctl_tls(char **words, int n_words, int days);

#endif
