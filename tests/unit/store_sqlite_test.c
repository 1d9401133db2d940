#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sqlite3.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/error.h"
#include "io/digest.h"
#include "store/store.h"

static char folder[64], path[96], why[256];
static struct store *store;

static int open_it(unsigned flags)
{
	why[0] = '\0';
	return store_open(path, io_digest(), flags, &store, why, sizeof(why));
}

static int setup(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/confab-store-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/users.db", folder);
	return open_it(STORE_CREATE);
}

static int teardown(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char name[128];

	(void)state;
	store_close(store);
	store = NULL;
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		(void)unlink(name);
	}
	return rmdir(folder);
}

static int add(const char *name, const char *domain, const char *realm, const char *password)
{
	return store_user_add(store, view_str(name), view_str(domain), view_str(realm),
			      view_str(password));
}

/* RFC 7616 §3.9.1 and RFC 2617 §3.5 have the names, the realms and the passwords; what they make
 * of them was computed apart from this code. */
static void test_ha1_is_that_of_the_rfcs(void **state)
{
	struct store_user user;

	(void)state;
	assert_int_equal(add("Mufasa", "example.com", "http-auth@example.org", "Circle of Life"),
			 0);
	assert_int_equal(store_user_find(store, VIEW("Mufasa"), VIEW("example.com"), &user), 0);
	assert_string_equal(user.ha1_md5, "3d78807defe7de2157e2b0b6573a855f");
	assert_string_equal(user.ha1_sha256,
			    "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232");
	assert_string_equal(user.realm, "http-auth@example.org");
	assert_int_equal(add("Mufasa", "example.org", "testrealm@host.com", "Circle Of Life"), 0);
	assert_int_equal(store_user_find(store, VIEW("Mufasa"), VIEW("example.org"), &user), 0);
	assert_string_equal(user.ha1_md5, "939e7578ed9e3c518a452acee763bce9");
}

static void test_names_keep_their_case_and_domains_do_not(void **state)
{
	struct store_user user;

	(void)state;
	assert_int_equal(add("ann", "Example.COM", "", "x"), 0);
	assert_int_equal(store_user_find(store, VIEW("ann"), VIEW("EXAMPLE.com"), &user), 0);
	assert_string_equal(user.domain, "example.com");
	assert_string_equal(user.realm, "example.com");
	assert_int_equal(store_user_find(store, VIEW("Ann"), VIEW("example.com"), &user),
			 E_NOTFOUND);
	assert_int_equal(add("ann", "example.com", "", "y"), E_EXISTS);
	assert_int_equal(add("Ann", "example.com", "", "y"), 0);
}

static void test_an_unknown_user_is_not_found(void **state)
{
	struct store_user user;
	char domain[200];

	(void)state;
	memset(&user, 0x55, sizeof(user));
	memset(domain, 'd', sizeof(domain));
	assert_int_equal(store_user_find(store, VIEW("bo"), VIEW("example.com"), &user),
			 E_NOTFOUND);
	assert_int_equal(store_user_find(store, VIEW(""), VIEW(""), &user), E_NOTFOUND);
	assert_int_equal(store_user_find(store, VIEW("bo"), view_of(domain, sizeof(domain)), &user),
			 E_NOTFOUND);
	assert_int_equal((unsigned char)user.name[0], 0x55);
	assert_int_equal(store_user_del(store, VIEW("bo"), VIEW("example.com")), E_NOTFOUND);
}

static void test_a_name_is_data_and_never_sql(void **state)
{
	struct store_user user;

	(void)state;
	assert_int_equal(add("x'--", "example.com", "", "p'); DROP TABLE user; --"), 0);
	assert_int_equal(store_user_find(store, VIEW("x'--"), VIEW("example.com"), &user), 0);
	assert_int_equal(store_user_find(store, VIEW("' OR 1=1 --"), VIEW("example.com"), &user),
			 E_NOTFOUND);
	assert_int_equal(store_user_del(store, VIEW("%"), VIEW("example.com")), E_NOTFOUND);
}

static void test_bad_names_and_passwords_are_refused(void **state)
{
	static const char *const bad[] = {"",	 "a b",	  "a:b", "a@b", "a\"b", "a\\b",
					  "a\n", "a\x7f", "<a>", "a;b", "a?b"};
	char longer[STORE_PASSWORD_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(add(bad[i], "example.com", "", "x"), E_SYNTAX);
	assert_int_equal(add("a", "exa mple", "", "x"), E_SYNTAX);
	assert_int_equal(add("a", "[2001:db8::1]", "", "x"), 0);
	assert_int_equal(add("a", "example.com", "a\"b", "x"), E_SYNTAX);
	assert_int_equal(add("a", "example.com", "Chat of Ann", "x"), 0);
	assert_int_equal(add("b", "example.com", "", ""), E_SYNTAX);
	assert_int_equal(add("b", "example.com", "", "a\tb"), E_SYNTAX);
	assert_int_equal(add("b", "example.com", "", "gr\xc3\xbc\xc3\x9f"), 0);
	memset(longer, 'x', sizeof(longer));
	longer[STORE_NAME_MAX] = '\0';
	assert_int_equal(add(longer, "example.com", "", "x"), E_LIMIT);
	longer[STORE_NAME_MAX] = 'x';
	longer[STORE_PASSWORD_MAX + 1] = '\0';
	assert_int_equal(add("c", "example.com", "", longer), E_LIMIT);
	longer[STORE_PASSWORD_MAX] = '\0';
	assert_int_equal(add("c", "example.com", "", longer), 0);
}

static int collect(void *ctx, const struct store_user *user)
{
	if (strcmp(user->name, "stop") == 0)
		return E_LIMIT;
	buf_putf(ctx, "%s@%s ", user->name, user->domain);
	return 0;
}

static void test_the_list_is_ordered_and_can_be_ended(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 512);
	assert_int_equal(store_user_list(store, collect, &text), 0);
	assert_int_equal(text.n, 0);
	assert_int_equal(add("charles", "example.com", "", "x"), 0);
	assert_int_equal(add("ann", "example.org", "", "x"), 0);
	assert_int_equal(add("bo", "example.com", "", "x"), 0);
	assert_int_equal(store_user_list(store, collect, &text), 0);
	assert_true(view_eq(buf_view(&text),
			    VIEW("bo@example.com charles@example.com ann@example.org ")));
	assert_int_equal(add("stop", "example.com", "", "x"), 0);
	buf_reset(&text);
	assert_int_equal(store_user_list(store, collect, &text), E_LIMIT);
	assert_true(view_eq(buf_view(&text), VIEW("bo@example.com charles@example.com ")));
	assert_int_equal(store_user_del(store, VIEW("stop"), VIEW("EXAMPLE.COM")), 0);
	assert_int_equal(store_user_list(store, collect, &text), 0);
	buf_fini(&text);
}

static void test_R_12__a_user_can_have_a_setting_of_its_own(void **state)
{
	struct store_user user;

	(void)state;
	assert_int_equal(add("ann", "example.com", "", "x"), 0);
	assert_int_equal(store_user_find(store, VIEW("ann"), VIEW("example.com"), &user), 0);
	assert_int_equal(user.im_feature_tag, STORE_IM_DEFAULT);
	assert_int_equal(
		store_user_set_im(store, VIEW("ann"), VIEW("example.com"), STORE_IM_ASSUME), 0);
	assert_int_equal(store_user_find(store, VIEW("ann"), VIEW("example.com"), &user), 0);
	assert_int_equal(user.im_feature_tag, STORE_IM_ASSUME);
	assert_int_equal(store_user_set_im(store, VIEW("bo"), VIEW("example.com"), STORE_IM_ASSUME),
			 E_NOTFOUND);
}

static void test_users_stay_when_the_store_is_opened_again(void **state)
{
	struct store_user user;

	(void)state;
	assert_int_equal(add("ann", "example.com", "", "x"), 0);
	store_close(store);
	store = NULL;
	assert_int_equal(open_it(0), 0);
	assert_int_equal(store_user_find(store, VIEW("ann"), VIEW("example.com"), &user), 0);
}

static void test_two_programs_share_a_store(void **state)
{
	struct store *first = store, *second;
	struct store_user user;

	(void)state;
	assert_int_equal(open_it(0), 0);
	second = store;
	store = first;
	assert_int_equal(add("ann", "example.com", "", "x"), 0);
	assert_int_equal(store_user_find(second, VIEW("ann"), VIEW("example.com"), &user), 0);
	store_close(second);
}

static void test_the_file_is_for_its_owner_alone(void **state)
{
	struct stat info;

	(void)state;
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
}

static void test_a_store_that_is_not_there_is_not_made(void **state)
{
	struct store *mine = store;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/other.db", folder);
	assert_int_equal(open_it(0), E_NOTFOUND);
	assert_ptr_equal(store, mine);
	assert_non_null(strstr(why, "No such file"));
	assert_int_equal(access(path, F_OK), -1);
	(void)snprintf(path, sizeof(path), "%s/none/other.db", folder);
	assert_int_equal(open_it(STORE_CREATE), E_IO);
	(void)snprintf(path, sizeof(path), "%s/users.db", folder);
}

static void spoil(const char *sql)
{
	sqlite3 *db;

	store_close(store);
	store = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int count_binding(void *ctx, const struct store_binding *b)
{
	struct store_binding *last = ctx;

	assert_true(view_starts(b->aor, VIEW("sip:")));
	last->cseq++;
	last->q = b->q;
	last->expires_unix_ms = b->expires_unix_ms;
	return 0;
}

static struct store_binding all_bindings(void)
{
	struct store_binding sum = {0};

	assert_int_equal(store_binding_list(store, count_binding, &sum), 0);
	return sum;
}

static struct store_binding binding_of(const char *aor, const char *contact, uint64_t expires)
{
	struct store_binding b = {.aor = view_str(aor),
				  .contact = view_str(contact),
				  .params = VIEW(";+g.oma.sip-im"),
				  .path = VIEW("<sip:edge.example;lr>"),
				  .call_id = VIEW("it's; DROP TABLE binding"),
				  .transport = 1,
				  .cseq = 4294967295u,
				  .q = 500,
				  .expires_unix_ms = expires};

	assert_int_equal(addr_parse_hostport(VIEW("[2001:db8::1]:5061"), 0, &b.remote), 0);
	return b;
}

static int same_binding(void *ctx, const struct store_binding *b)
{
	const struct store_binding *want = ctx;

	assert_true(view_eq(b->aor, want->aor) && view_eq(b->contact, want->contact));
	assert_true(view_eq(b->params, want->params) && view_eq(b->path, want->path));
	assert_true(view_eq(b->call_id, want->call_id) && addr_eq(&b->remote, &want->remote));
	assert_int_equal(b->transport, want->transport);
	assert_int_equal(b->cseq, want->cseq);
	assert_int_equal(b->q, want->q);
	assert_true(b->expires_unix_ms == want->expires_unix_ms);
	return 0;
}

static void test_bindings_stay_when_the_store_is_opened_again(void **state)
{
	struct store_binding b = binding_of("sip:ann@example.com", "sip:a@192.0.2.1", 5000);

	(void)state;
	assert_int_equal(store_binding_put(store, &b), 0);
	b.expires_unix_ms = 1ull << 41;
	assert_int_equal(store_binding_put(store, &b), 0);
	store_close(store);
	assert_int_equal(open_it(0), 0);
	assert_int_equal(all_bindings().cseq, 1);
	assert_int_equal(store_binding_list(store, same_binding, &b), 0);
	assert_int_equal(store_binding_del(store, b.aor, VIEW("sip:other@192.0.2.1")), 0);
	assert_int_equal(all_bindings().cseq, 1);
	assert_int_equal(store_binding_del(store, b.aor, b.contact), 0);
	assert_int_equal(all_bindings().cseq, 0);
}

static void test_bindings_that_have_run_out_are_purged(void **state)
{
	struct store_binding b = binding_of("sip:ann@example.com", "sip:a@192.0.2.1", 5000),
			     c = binding_of("sip:ann@example.com", "sip:b@192.0.2.1", 5001);

	(void)state;
	assert_int_equal(store_binding_put(store, &b), 0);
	assert_int_equal(store_binding_put(store, &c), 0);
	assert_int_equal(store_binding_purge(store, 5000), 0);
	assert_int_equal(all_bindings().cseq, 1);
	assert_true(all_bindings().expires_unix_ms == 5001);
	assert_int_equal(store_binding_purge(store, UINT64_MAX), 0);
	assert_int_equal(all_bindings().cseq, 0);
}

static int count_served(void *ctx, struct view aor, uint64_t expires_unix_ms)
{
	*(uint64_t *)ctx += expires_unix_ms;
	return view_eq(aor, VIEW("sip:ann@ims.example")) ? 0 : E_SYNTAX;
}

struct conferences {
	char text[256];
};

static int write_conference(void *ctx, const struct store_conference *c)
{
	struct conferences *all = ctx;
	size_t n = strlen(all->text);

	(void)snprintf(all->text + n, sizeof(all->text) - n, "%.*s=%zu/%llu%s ", VIEW_ARG(c->user),
		       c->record.n, (unsigned long long)c->saved_unix_ms, c->ended ? " ended" : "");
	return 0;
}

static void test_times_move_with_the_clock(void **state)
{
	struct store_binding b = binding_of("sip:ann@example.com", "sip:a@192.0.2.1", 50000);
	struct store_conference c = {.user = VIEW("conf-a"), .saved_unix_ms = 40000};
	struct conferences all = {""};
	uint64_t sum = 0;

	(void)state;
	assert_int_equal(store_binding_put(store, &b), 0);
	assert_int_equal(store_served_put(store, VIEW("sip:ann@ims.example"), 30000), 0);
	assert_int_equal(store_conference_put(store, &c), 0);
	assert_int_equal(store_clock_moved(store, 7200000), 0);
	assert_int_equal(store_clock_moved(store, -7190000), 0);
	assert_true(all_bindings().expires_unix_ms == 60000);
	assert_int_equal(store_served_list(store, count_served, &sum), 0);
	assert_true(sum == 40000);
	assert_int_equal(store_conference_list(store, write_conference, &all), 0);
	assert_string_equal(all.text, "conf-a=0/50000 ");
	/* Nothing there is no mistake. */
	assert_int_equal(store_binding_purge(store, UINT64_MAX), 0);
	assert_int_equal(store_clock_moved(store, 1), 0);
}

static void test_changes_between_begin_and_rollback_are_none(void **state)
{
	struct store_binding b = binding_of("sip:ann@example.com", "sip:a@192.0.2.1", 5000);

	(void)state;
	assert_int_equal(store_binding_put(store, &b), 0);
	assert_int_equal(store_begin(store), 0);
	assert_int_equal(store_binding_purge(store, UINT64_MAX), 0);
	store_rollback(store);
	assert_int_equal(all_bindings().cseq, 1);
	assert_int_equal(store_begin(store), 0);
	assert_int_equal(store_binding_purge(store, UINT64_MAX), 0);
	assert_int_equal(store_commit(store), 0);
	assert_int_equal(all_bindings().cseq, 0);
}

/* As version 3 made it, with what was in it. */
static void downgrade(void)
{
	spoil("DROP TABLE served; DROP TABLE conference; PRAGMA user_version = 3");
}

static void test_a_store_of_version_3_is_brought_up_to_date_and_loses_nothing(void **state)
{
	struct store_binding b = binding_of("sip:ann@example.com", "sip:a@192.0.2.1", 5000);
	struct store_user user;

	(void)state;
	assert_int_equal(add("ann", "example.com", "", "x"), 0);
	assert_int_equal(
		store_user_set_mode(store, VIEW("ann"), VIEW("example.com"), STORE_MODE_B2BUA), 0);
	assert_int_equal(store_binding_put(store, &b), 0);
	downgrade();
	assert_int_equal(open_it(0), 0);
	assert_int_equal(store_user_find(store, VIEW("ann"), VIEW("example.com"), &user), 0);
	assert_int_equal(user.mode, STORE_MODE_B2BUA);
	assert_int_equal(store_binding_list(store, same_binding, &b), 0);
	assert_int_equal(all_bindings().cseq, 1);
	assert_int_equal(store_served_put(store, VIEW("sip:ann@example.com"), 1), 0);
}

static void test_PF_X_2__served_users_stay_until_they_run_out(void **state)
{
	uint64_t sum = 0;

	(void)state;
	assert_int_equal(store_served_put(store, VIEW("sip:ann@ims.example"), 4000), 0);
	assert_int_equal(store_served_put(store, VIEW("sip:ann@ims.example"), 5001), 0);
	assert_int_equal(store_served_put(store, VIEW("sip:bo@ims.example"), 5000), 0);
	assert_int_equal(store_served_purge(store, 5000), 0);
	store_close(store);
	assert_int_equal(open_it(0), 0);
	assert_int_equal(store_served_list(store, count_served, &sum), 0);
	assert_true(sum == 5001);
	assert_int_equal(store_served_del(store, VIEW("sip:bo@ims.example")), 0);
	assert_int_equal(store_served_del(store, VIEW("sip:ann@ims.example")), 0);
	assert_int_equal(store_served_list(store, count_served, &sum), 0);
	assert_true(sum == 5001);
}

static void test_conferences_stay_in_the_order_they_were_made(void **state)
{
	struct store_conference a = {.user = VIEW("conf-b"), .record = {"1\0002", 3}},
				b = {.user = VIEW("conf-a"), .record = VIEW("first")};
	struct conferences all = {""};

	(void)state;
	assert_int_equal(store_conference_put(store, &a), 0);
	assert_int_equal(store_conference_put(store, &b), 0);
	a.saved_unix_ms = 5000;
	a.ended = true;
	assert_int_equal(store_conference_put(store, &a), 0);
	store_close(store);
	assert_int_equal(open_it(0), 0);
	assert_int_equal(store_conference_list(store, write_conference, &all), 0);
	assert_string_equal(all.text, "conf-b=3/5000 ended conf-a=5/0 ");
	all.text[0] = '\0';
	assert_int_equal(store_conference_del(store, VIEW("conf-b")), 0);
	assert_int_equal(store_conference_list(store, write_conference, &all), 0);
	assert_string_equal(all.text, "conf-a=5/0 ");
	all.text[0] = '\0';
	assert_int_equal(store_conference_clear(store), 0);
	assert_int_equal(store_conference_list(store, write_conference, &all), 0);
	assert_string_equal(all.text, "");
}

static void test_a_newer_store_is_left_alone(void **state)
{
	(void)state;
	spoil("PRAGMA user_version = 1000");
	assert_int_equal(open_it(0), E_UNSUPPORTED);
	assert_non_null(strstr(why, "newer"));
	assert_non_null(strstr(why, "1000"));
	assert_null(store);
}

static void test_the_version_tells_that_another_has_changed_the_file(void **state)
{
	struct store *other = NULL;
	uint64_t before, after;

	(void)state;
	assert_int_equal(store_version(store, &before), 0);
	assert_int_equal(store_version(store, &after), 0);
	assert_true(before == after);
	assert_int_equal(store_open(path, io_digest(), 0, &other, why, sizeof(why)), 0);
	assert_int_equal(
		store_user_add(other, VIEW("new"), VIEW("example.com"), VIEW(""), VIEW("x")), 0);
	store_close(other);
	assert_int_equal(store_version(store, &after), 0);
	assert_true(before != after);
}

static void test_a_file_that_is_no_store_is_refused(void **state)
{
	FILE *file;

	(void)state;
	store_close(store);
	store = NULL;
	file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		assert_true(fputs("not a database ", file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(open_it(STORE_CREATE), E_SYNTAX);
	assert_non_null(strstr(why, "not a database"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ha1_is_that_of_the_rfcs),
		T(test_names_keep_their_case_and_domains_do_not),
		T(test_an_unknown_user_is_not_found),
		T(test_a_name_is_data_and_never_sql),
		T(test_bad_names_and_passwords_are_refused),
		T(test_the_list_is_ordered_and_can_be_ended),
		T(test_R_12__a_user_can_have_a_setting_of_its_own),
		T(test_users_stay_when_the_store_is_opened_again),
		T(test_two_programs_share_a_store),
		T(test_the_file_is_for_its_owner_alone),
		T(test_a_store_that_is_not_there_is_not_made),
		T(test_bindings_stay_when_the_store_is_opened_again),
		T(test_bindings_that_have_run_out_are_purged),
		T(test_times_move_with_the_clock),
		T(test_changes_between_begin_and_rollback_are_none),
		T(test_a_store_of_version_3_is_brought_up_to_date_and_loses_nothing),
		T(test_PF_X_2__served_users_stay_until_they_run_out),
		T(test_conferences_stay_in_the_order_they_were_made),
		T(test_a_newer_store_is_left_alone),
		T(test_the_version_tells_that_another_has_changed_the_file),
		T(test_a_file_that_is_no_store_is_refused),
	};

	store_close(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
