/* SPDX-License-Identifier: MIT
 * Reading a command line by a table of flags, and saying what is wrong with one. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/nearest.h"

int sb_complain(const char *command, int code, const char *format, ...)
{
	char raw[512], room[1024];
	struct sb_text t = sb_text_in(room, sizeof(room));
	va_list list;

	va_start(list, format);
	vsnprintf(raw, sizeof(raw), format, list);
	va_end(list);
	/* Whatever somebody typed or sent, it stays one line and no terminal obeys it. */
	for (const char *p = raw; *p; p++) {
		if (*p == '\\')
			sb_text_char(&t, '\\');
		else
			sb_text_escaped(&t, sb_slice(p, 1), false);
	}
	fprintf(stderr, "streambed%s%s: %s\n", *command ? " " : "", command, sb_text_end(&t));
	return code;
}

void sb_print(const struct sb_text *t)
{
	fwrite(t->p, 1, t->n, stdout);
}

static const char *name_at(const void *list, size_t i)
{
	const struct sb_args *args = list;

	return i < args->flags_n ? args->flags[i].name : NULL;
}

static int unknown(const struct sb_args *args, struct sb_slice name)
{
	const char *nearest = sb_nearest(name, name_at, args);

	if (nearest)
		sb_complain(args->command, 0, "unknown option --%.*s (did you mean --%s?)", SB_FAULT_WORD(name),
			    nearest);
	else
		sb_complain(args->command, 0, "unknown option --%.*s: see streambed %s --help", SB_FAULT_WORD(name),
			    args->command);
	return SB_ARG_BAD;
}

static int take_value(struct sb_args *args, const struct sb_flag *flag, const char *equals)
{
	args->id = flag->id;
	args->flag = flag;
	args->value = equals ? equals + 1 : NULL;
	if (!flag->arg && equals) {
		sb_complain(args->command, 0, "--%s takes no value", flag->name);
		return args->id = SB_ARG_BAD;
	}
	if (!flag->arg || equals)
		return args->id;
	if (args->at == args->argc) {
		sb_complain(args->command, 0, "--%s needs a value: --%s %s", flag->name, flag->name, flag->arg);
		return args->id = SB_ARG_BAD;
	}
	args->value = args->argv[args->at++];
	return args->id;
}

int sb_args_next(struct sb_args *args)
{
	const char *arg, *equals;
	struct sb_slice name;

	args->flag = NULL;
	if (!args->is_plain && args->at < args->argc && strcmp(args->argv[args->at], "--") == 0) {
		args->is_plain = true;
		args->at++;
	}
	if (args->at == args->argc)
		return args->id = SB_ARG_END;
	arg = args->argv[args->at++];
	if (args->is_plain || arg[0] != '-' || arg[1] == '\0') {
		args->value = arg;
		return args->id = SB_ARG_WORD;
	}
	if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)
		return args->id = SB_ARG_HELP;
	if (arg[1] != '-') {
		sb_complain(args->command, 0, "unknown option %s: options are written --NAME", arg);
		return args->id = SB_ARG_BAD;
	}
	equals = strchr(arg, '=');
	name = sb_slice(arg + 2, equals ? (size_t)(equals - arg - 2) : strlen(arg + 2));
	for (size_t i = 0; i < args->flags_n; i++)
		if (sb_slice_is(name, args->flags[i].name))
			return take_value(args, &args->flags[i], equals);
	return args->id = unknown(args, name);
}

void sb_flags_help(const struct sb_flag *flags, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s %s", flags[i].name, flags[i].arg ? flags[i].arg : "");
		printf("  %-28s %s\n", left, flags[i].help);
	}
}
