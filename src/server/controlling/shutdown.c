/* The end of all conferences, because the server is to end. */
#include "server/controlling/focus.h"

static void end_one(void *ctx, struct hash_node *node)
{
	struct conference *conf = CONTAINER(node, struct conference, by_id);

	conference_end(conf, *(const uint64_t *)ctx);
}

void controlling_shut_down(struct controlling *c, uint64_t now_ms)
{
	c->farewell = "Reason: SIP;cause=503;text=\"Server Shutting Down\"\r\n";
	hash_each(&c->by_id, end_one, &now_ms);
}
