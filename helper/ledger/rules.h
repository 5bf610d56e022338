// SPDX-License-Identifier: Apache-2.0
// The rules of kvmwait why (share/why.list, which describes its own format), read strictly.
#ifndef KVMWAIT_LEDGER_RULES_H
#define KVMWAIT_LEDGER_RULES_H

#include "base/text.h"

/* What a rule is asked about. */
enum rule_scope {
	RULE_CULPRIT, /* each row of the blame record */
	RULE_VCPU,    /* each row of the stat record */
	RULE_VM,      /* the same rows, added up for each VM */
	RULE_RUN,     /* the end record */
	RULE_SCOPES,
};
extern const char *const rule_scope_names[RULE_SCOPES];

enum rule_operator { RULE_IS, RULE_IS_NOT, RULE_AT_LEAST, RULE_BELOW };

/* "FIELD = WORD", "FIELD >= N", or "FIELD >= N % of FIELD". */
struct rule_condition {
	char *field, *of; /* `of` is NULL where the number is no share */
	enum rule_operator operator;
	char *word;	   /* of = and != */
	uint64_t number;   /* with `of`: in hundredths of a percent */
};

struct rule {
	unsigned int line; /* in the file */
	char *name;
	enum rule_scope scope;
	struct rule_condition *conditions;
	size_t n_conditions;
	struct rule_condition threshold; /* what --threshold replaces: the cost as a share of a whole */
	struct strings needs;		 /* events and parts that have to be measured */
	bool symptom;			 /* a culprit of the same VM explains it and stands before it */
	char *source;			 /* where the threshold comes from */
	char *say, *next, *see;		 /* `see` can be NULL */
};

struct rules {
	struct rule *items;
	size_t n;
};

/* 0, or -errno with ret_error (the caller frees). */
int rules_parse(const char *text, struct rules *ret, char **ret_error);
int rules_load(const char *path, struct rules *ret, char **ret_error);
void rules_done(struct rules *rules);
/* Replaces a threshold: "NAME=PERCENT". 0, or -EINVAL with ret_error. */
int rules_set_threshold(struct rules *rules, const char *text, char **ret_error);

/* "12.5" as hundredths of a percent: 1250. 0 or -EINVAL. */
int parse_percent(const char *text, uint64_t *ret_hundredths);
/* The fields that a text names in braces, as they stand there, such as "ready_ns" or "poll_wasted_ns % of poll_ns". */
void rule_text_fields(const char *text, struct strings *fields);

#endif
