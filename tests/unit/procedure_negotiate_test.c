/* Offer and answer for MSRP: RFC 3264, RFC 4975 §8, RFC 6135 §4.2. */
#include "procedure/negotiate.h"
#include "procedure_msg.h"

static int read_sdp(const char *text, struct sdp *desc, const struct sdp_media **media)
{
	return negotiate_read(view_of(guard_copy(text, strlen(text)), strlen(text)), desc, media);
}

static void test_IC_7_1_2_4__an_offer_is_found(void **state)
{
	const struct sdp_media *media = NULL;
	struct sdp desc;

	(void)state;
	assert_int_equal(read_sdp(SDP_PLAIN, &desc, &media), 0);
	assert_int_equal(media->port, 2855);
	assert_int_equal(media->msrp.setup, SDP_SETUP_ACTPASS);
	assert_view(media->msrp.path, "msrp://192.0.2.9:2855/abc;tcp");
}

static void test_IC_7_1_2_4__the_plain_stream_among_others(void **state)
{
	const struct sdp_media *media = NULL;
	struct sdp desc;

	(void)state;
	assert_int_equal(read_sdp(SDP_OF("2000", "TCP/TLS/MSRP",
					 "") "m=audio 4000 RTP/AVP 0\r\n"
					     "m=message 0 TCP/MSRP *\r\na=path:msrp://a:1/b;tcp\r\n"
					     "a=accept-types:*\r\n"
					     "m=message 9 TCP/MSRP *\r\na=path:msrp://a:9/c;tcp\r\n"
					     "a=accept-types:*\r\n",
				  &desc, &media),
			 0);
	assert_int_equal(media->index, 3);
	assert_int_equal(media->port, 9);
}

#define STREAM(port, proto, scheme, more)                                                          \
	"m=message " port " " proto " *\r\na=accept-types:*\r\na=path:" scheme                     \
	"://192.0.2.9:" port "/abc;tcp\r\n" more
#define HEAD "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\n"

/* The port of the stream that is chosen; 0: none. */
static int chosen(const char *text, enum negotiate_tls tls)
{
	const struct sdp_media *media = NULL;
	struct sdp desc;
	int rc = negotiate_read_kind(view_str(text), tls, &desc, &media);

	assert_true(rc == 0 || rc == E_UNSUPPORTED);
	return rc ? 0 : media->port;
}

static void test_SW_4__a_stream_by_tls_where_it_can_be_had(void **state)
{
	static const char both[] =
		HEAD STREAM("1", "TCP/TLS/MSRP", "msrps", "") STREAM("2", "TCP/MSRP", "msrp", "");
	static const char print[] =
		HEAD STREAM("3", "TCP/TLS/MSRP", "msrps", "a=fingerprint:SHA-256 AA:BB\r\n");

	(void)state;
	assert_int_equal(chosen(both, NEGOTIATE_EITHER), 1);
	assert_int_equal(chosen(both, NEGOTIATE_NO_TLS), 2);
	assert_int_equal(chosen(both, NEGOTIATE_TLS), 1);
	assert_int_equal(chosen(SDP_PLAIN, NEGOTIATE_TLS), 0);
	assert_int_equal(chosen(print, NEGOTIATE_EITHER), 3);
	/* A hash that is not compared here, and a path that contradicts the proto. */
	assert_int_equal(
		chosen(HEAD STREAM("4", "TCP/TLS/MSRP", "msrps", "a=fingerprint:SHA-1 AA:BB\r\n"),
		       NEGOTIATE_EITHER),
		0);
	assert_int_equal(chosen(HEAD STREAM("5", "TCP/TLS/MSRP", "msrp", ""), NEGOTIATE_EITHER), 0);
	/* Of several fingerprints the one that is known counts (RFC 8122 §5). */
	assert_int_equal(chosen(HEAD STREAM("6", "TCP/TLS/MSRP", "msrps",
					    "a=fingerprint:SHA-1 AA:BB\r\n"
					    "a=fingerprint:SHA-256 AA:BB\r\n"),
				NEGOTIATE_EITHER),
			 6);
}

static void test_what_cannot_be_used(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} cases[] = {
		{"", E_MISSING},
		{"\r\n", E_MISSING},
		{"nonsense", E_SYNTAX},
		{"v=0\r\ns=-\r\nt=0 0\r\n", E_SYNTAX}, /* no o= */
		{SDP_OF("66000", "TCP/MSRP", ""), E_SYNTAX},
		{SDP_OF("2855", "TCP/TLS/MSRP", ""), E_UNSUPPORTED},
		{SDP_OF("0", "TCP/MSRP", ""), E_UNSUPPORTED},
		{SDP_OF("2855", "RTP/AVP", ""), E_UNSUPPORTED},
		{"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
		 E_UNSUPPORTED},
		{"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\n"
		 "m=message 2855 TCP/MSRP *\r\na=accept-types:*\r\n",
		 E_UNSUPPORTED}, /* no path */
		{"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\n"
		 "m=message 2855 TCP/MSRP *\r\na=path:msrp://a:9/c;tcp\r\n",
		 E_UNSUPPORTED}, /* no types */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct sdp_media *media = NULL;
		struct sdp desc;

		assert_int_equal(read_sdp(cases[i].text, &desc, &media), cases[i].rc);
		assert_null(media);
	}
}

static void test_more_streams_than_are_read(void **state)
{
	const struct sdp_media *media = NULL;
	struct sdp desc;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 16);
	buf_puts(&b, SDP_PLAIN);
	for (int i = 0; i < SDP_MEDIA_MAX; i++)
		buf_puts(&b, "m=audio 4000 RTP/AVP 0\r\n");
	buf_putc(&b, '\0');
	assert_int_equal(read_sdp(b.p, &desc, &media), E_UNSUPPORTED);
	buf_fini(&b);
}

static void test_SW_4__setup_of_the_answer(void **state)
{
	static const struct {
		enum sdp_setup offered, lazy, eager;
	} table[] = {
		{SDP_SETUP_ACTPASS, SDP_SETUP_PASSIVE, SDP_SETUP_ACTIVE},
		{SDP_SETUP_ACTIVE, SDP_SETUP_PASSIVE, SDP_SETUP_PASSIVE},
		{SDP_SETUP_PASSIVE, SDP_SETUP_ACTIVE, SDP_SETUP_ACTIVE},
		{SDP_SETUP_NONE, SDP_SETUP_PASSIVE, SDP_SETUP_PASSIVE},
		/* RFC 6135 §4.2.1: as if there were no line, and never sent. */
		{SDP_SETUP_HOLDCONN, SDP_SETUP_PASSIVE, SDP_SETUP_PASSIVE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(negotiate_answer_setup(table[i].offered, false), table[i].lazy);
		assert_int_equal(negotiate_answer_setup(table[i].offered, true), table[i].eager);
	}
}

static void test_SW_4__exactly_one_side_connects(void **state)
{
	(void)state;
	for (int offered = SDP_SETUP_NONE; offered <= SDP_SETUP_HOLDCONN; offered++)
		for (int eager = 0; eager < 2; eager++) {
			enum sdp_setup answer =
				negotiate_answer_setup((enum sdp_setup)offered, eager);

			assert_int_not_equal(negotiate_answerer_connects(answer),
					     negotiate_offerer_connects(answer));
			/* Who cannot, does not. */
			if (offered == SDP_SETUP_ACTIVE)
				assert_true(negotiate_offerer_connects(answer));
			if (offered == SDP_SETUP_PASSIVE)
				assert_false(negotiate_offerer_connects(answer));
		}
}

static void test_SW_4__what_phones_answer(void **state)
{
	(void)state;
	assert_false(negotiate_offerer_connects(SDP_SETUP_ACTIVE));
	assert_true(negotiate_offerer_connects(SDP_SETUP_PASSIVE));
	assert_true(negotiate_offerer_connects(SDP_SETUP_NONE)); /* RFC 4975 §5.4 alone */
	assert_true(negotiate_offerer_connects(SDP_SETUP_HOLDCONN));
	assert_true(negotiate_offerer_connects(SDP_SETUP_ACTPASS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IC_7_1_2_4__an_offer_is_found),
		cmocka_unit_test(test_IC_7_1_2_4__the_plain_stream_among_others),
		cmocka_unit_test(test_SW_4__a_stream_by_tls_where_it_can_be_had),
		cmocka_unit_test(test_what_cannot_be_used),
		cmocka_unit_test(test_more_streams_than_are_read),
		cmocka_unit_test(test_SW_4__setup_of_the_answer),
		cmocka_unit_test(test_SW_4__exactly_one_side_connects),
		cmocka_unit_test(test_SW_4__what_phones_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
