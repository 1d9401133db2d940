#include "msrp/write.h"

#include "msrp/uri.h"

static void put_start(struct buf *b, struct view tid)
{
	buf_put(b, VIEW("MSRP "));
	buf_put(b, tid);
	buf_putc(b, ' ');
}

static void put_field(struct buf *b, const char *name, struct view value)
{
	buf_puts(b, name);
	buf_put(b, value);
	buf_put(b, VIEW("\r\n"));
}

static void put_paths(struct buf *b, struct view to_path, struct view from_path)
{
	put_field(b, "To-Path: ", to_path);
	put_field(b, "From-Path: ", from_path);
}

static void put_number(struct buf *b, uint64_t x)
{
	if (x == MSRP_UNKNOWN)
		buf_putc(b, '*');
	else
		buf_put_u64(b, x);
}

static void put_range(struct buf *b, uint64_t start, uint64_t end, uint64_t total)
{
	buf_put(b, VIEW("Byte-Range: "));
	put_number(b, start);
	buf_putc(b, '-');
	put_number(b, end);
	buf_putc(b, '/');
	put_number(b, total);
	buf_put(b, VIEW("\r\n"));
}

void msrp_write_send(struct buf *b, const struct msrp_send_head *h)
{
	put_start(b, h->tid);
	buf_put(b, VIEW("SEND\r\n"));
	put_paths(b, h->to_path, h->from_path);
	put_field(b, "Message-ID: ", h->message_id);
	if (h->success_report)
		buf_put(b, VIEW("Success-Report: yes\r\n"));
	if (h->failure_report == MSRP_FAILURE_NO)
		buf_put(b, VIEW("Failure-Report: no\r\n"));
	else if (h->failure_report == MSRP_FAILURE_PARTIAL)
		buf_put(b, VIEW("Failure-Report: partial\r\n"));
	put_range(b, h->start, h->end, h->total);
	if (view_empty(h->content_type))
		return;
	/* Content-Type is the last field (RFC 4975 §7.1). */
	put_field(b, "Content-Type: ", h->content_type);
	buf_put(b, VIEW("\r\n"));
}

void msrp_write_end(struct buf *b, struct view tid, char flag, bool has_body)
{
	buf_put(b, has_body ? VIEW("\r\n-------") : VIEW("-------"));
	buf_put(b, tid);
	buf_putc(b, flag);
	buf_put(b, VIEW("\r\n"));
}

static void put_status(struct buf *b, int status, const char *comment)
{
	if (!comment)
		comment = msrp_reason(status);
	buf_put_u64(b, (uint64_t)status);
	if (*comment) {
		buf_putc(b, ' ');
		buf_puts(b, comment);
	}
	buf_put(b, VIEW("\r\n"));
}

void msrp_write_response(struct buf *b, const struct msrp_head *req, int status,
			 const char *comment)
{
	struct view to = req->from_path;

	if (req->method == MSRP_SEND)
		to = msrp_path_first(to);
	put_start(b, req->tid);
	put_status(b, status, comment);
	put_paths(b, to, msrp_path_first(req->to_path));
	msrp_write_end(b, req->tid, '$', false);
}

void msrp_write_report(struct buf *b, struct view tid, struct view to_path, struct view from_path,
		       struct view message_id, uint64_t start, uint64_t end, uint64_t total,
		       int status, const char *comment)
{
	put_start(b, tid);
	buf_put(b, VIEW("REPORT\r\n"));
	put_paths(b, to_path, from_path);
	put_field(b, "Message-ID: ", message_id);
	put_range(b, start, end, total);
	buf_put(b, VIEW("Status: 000 "));
	put_status(b, status, comment);
	msrp_write_end(b, tid, '$', false);
}
