// SPDX-License-Identifier: Apache-2.0
// What is found by its form alone: network addresses (redact_address.c), identifiers of storage and machines
// (redact_identifier.c). kvmwait-bundle(1) has the table of notations.
#ifndef KVMWAIT_BUNDLE_REDACT_FORM_H
#define KVMWAIT_BUNDLE_REDACT_FORM_H

#include "bundle/redact_find.h"

/* Is there one that begins at `at`, or whose key word ("serial=") does? Ports, prefixes and zones are not part of a match. */
bool redact_address_at(const struct redact_forms *f, const char *text, size_t n, size_t at, struct redact_match *ret);
bool redact_identifier_at(const struct redact_forms *f, const char *text, size_t n, size_t at, struct redact_match *ret);

/* Does an identifier without a form of its own follow this word? "serial", "wwpn". */
bool redact_is_context(const char *word);

#endif
