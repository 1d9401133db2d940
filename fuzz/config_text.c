/* Any bytes as confabd.conf, and as a setting of the command line. */
#include "config/file.h"
#include "config/server.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct server_config config;
	struct config_mistakes mistakes = {0};
	struct config_lines lines = {0};

	if (config_server_init(&config))
		abort();
	if (config_text_read(&config_server_table, view_of((const char *)data, size), &config,
			     &lines, &mistakes) == 0)
		(void)config_server_check(&config, &lines, &mistakes);
	(void)config_setting_read(&config_server_table, view_of((const char *)data, size), &config,
				  &mistakes);
	return 0;
}
