#include "base/error.h"

const char *error_name(int code)
{
	switch (code) {
	case 0:
		return "OK";
#define X(name, code, text)                                                                        \
	case code:                                                                                 \
		return #name;
		ERROR_TABLE(X)
#undef X
	default:
		return "E_?";
	}
}

const char *error_text(int code)
{
	switch (code) {
	case 0:
		return "no error";
#define X(name, code, text)                                                                        \
	case code:                                                                                 \
		return text;
		ERROR_TABLE(X)
#undef X
	default:
		return "unknown error";
	}
}
