// SPDX-License-Identifier: Apache-2.0
// The records of one host and time that the rules of kvmwait why are applied to.
#include "show/evidence.h"

#include "show/counts_show.h"

void evidence_done(struct evidence *e)
{
	json_decref(e->meta);
	json_decref(e->stat);
	json_decref(e->blame);
	json_decref(e->end);
	*e = (struct evidence){ 0 };
}

static void keep(json_t **to, json_t *object)
{
	json_decref(*to);
	*to = json_incref(object);
}

void evidence_take(struct evidence *e, const struct record *r)
{
	switch ((int)r->type) {
	case RECORD_META:
		keep(&e->meta, r->object);
		break;
	case RECORD_STAT:
		if (json_is_true(json_object_get(r->object, "total")))
			keep(&e->stat, r->object);
		break;
	case RECORD_BLAME:
		keep(&e->blame, r->object);
		break;
	case RECORD_END:
		keep(&e->end, r->object);
		break;
	default:
		break;
	}
}

void evidence_complete(struct evidence *e, struct account *account)
{
	struct counts_rows rows;
	struct counts_report report = { .by = COUNTS_BY_VM | COUNTS_BY_VCPU, .total = true, .recorded = true, .rows = &rows };

	if (e->stat)
		return;
	report.origin = account_origin(account);
	report.no_outcomes = !account_has_outcomes(account);
	report.has_account = account_has_times(account);
	account_total(account, report.by, &rows);
	e->stat = counts_report_json(&report);
	counts_rows_done(&rows);
}

void evidence_findings(const struct evidence *e, const struct rules *rules, struct findings *ret)
{
	findings_make(rules, e->meta, e->stat, e->blame, e->end, ret);
}
