# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What bash offers for each line of standard input. Prints "== LINE" and what was offered, one a line.
# usage: bash --norc --noprofile -u bash.bash FILE    with the completion
# shellcheck source=/dev/null
source "$1"
while IFS= read -r line; do
	echo "== $line"
	# As readline splits it: = is a word of its own, and after a blank the last word is empty.
	read -ra COMP_WORDS <<<"${line//=/ = }"
	[[ $line != *' ' && $line != *= ]] || COMP_WORDS+=('')
	[[ $line != *= ]] || unset 'COMP_WORDS[-1]'
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
	handler=$(complete -p "${COMP_WORDS[0]}" | sed 's/.*-F \([^ ]*\) .*/\1/')
	"$handler"
	((!${#COMPREPLY[@]})) || printf '%s\n' "${COMPREPLY[@]}"
done
