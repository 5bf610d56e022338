# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# bash completion for kvmwait(1) and kvmwait-guest(1). Commands, options and arguments are what the program's own --help
# says, so that they are those of the program that will run. tests/completion/run tries it in a real bash.

# PROGRAM [COMMAND]: "LETTER LONG ARGUMENT" for each option that the help lists; "-" where there is none.
_kvmwait_help() {
	local line
	while IFS= read -r line; do
		[[ $line =~ ^\ +((-[A-Za-z]),\ )?(--[a-z0-9-]+)(\ (\[?[A-Z][^ ]*))?(\ |$) ]] || continue
		printf '%s %s %s\n' "${BASH_REMATCH[2]:--}" "${BASH_REMATCH[3]}" "${BASH_REMATCH[5]:--}"
	done < <("$@" --help 2>/dev/null)
}

_kvmwait_operations() { "$1" --list 2>/dev/null | while read -r op _; do [[ $op == OP ]] || printf '%s\n' "$op"; done; }

# PROGRAM COMMAND OPTION ARGUMENT: the words that can stand for an argument, one a line.
_kvmwait_words() {
	local line
	case $4 in
	TGID) pgrep '^(qemu|kvm$|crosvm|firecracker|cloud-hyper)' 2>/dev/null ;;
	'[PARTS]')
		while read -r line _; do
			[[ $line != *.part ]] || printf '%s\n' "${line%%[-.]*}"
		done < <("$1" list 2>/dev/null)
		;;
	OP*) _kvmwait_operations "$1" ;;
	LIST | FORMAT | COLUMN)
		if [[ $3 == --skip ]]; then
			_kvmwait_operations kvmwait-guest
			return
		fi
		# A value that cannot be: the message has the values that can. Should it take that, it ends with its help.
		line=$("$1" "$2" "$3" - --help 2>&1)
		[[ $line != *': must be one of '* ]] || printf '%s\n' "${line##*: must be one of }" | tr -d ' ' | tr , '\n'
		;;
	esac
}

# PROGRAM COMMAND OPTION ARGUMENT WORD: completes what stands for an argument; of a list with commas the last word.
_kvmwait_argument() {
	local word before=''
	case $4 in
	FILE* | PATH) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$5") ;;
	DIR) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$5") ;;
	*)
		if [[ $4 != FORMAT && $4 != COLUMN ]]; then
			[[ $5 != *,* ]] || before=${5%,*},
			compopt -o nospace 2>/dev/null
		fi
		while read -r word; do
			[[ $before$word != "$5"* ]] || COMPREPLY+=("$before$word")
		done < <(_kvmwait_words "$@")
		;;
	esac
}

# WORD PREVIOUS PROGRAM [COMMAND]: completes an option or its argument. Fails where it is neither.
_kvmwait_option() {
	local cur=$1 prev=$2 letter long argument option
	shift 2
	while read -r letter long argument; do
		if [[ $argument != - && $prev == -* && ($prev == "$letter" || $prev == "$long") ]]; then
			COMPREPLY=()
			_kvmwait_argument "$1" "${2:-}" "$long" "$argument" "$cur"
			return 0
		fi
		for option in "$letter" "$long"; do
			[[ $cur != -* || $option == - || $option != "$cur"* ]] || COMPREPLY+=("$option")
		done
	done < <(_kvmwait_help "$@")
	[[ $cur == -* ]]
}

_kvmwait() {
	local program=${COMP_WORDS[0]/#\~\//$HOME/} command=${COMP_WORDS[1]} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words word i
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		words=$'-h\n--help\n-V\n--version'
		[[ $cur == -* ]] || words=$("$program" --help 2>/dev/null | sed -nE '/^commands:/,/^$/ s/^  ([a-z]+) .*/\1/p')
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		return
	fi
	[[ $command =~ ^[a-z]+$ ]] || return
	# What stands behind -- is a command and its arguments.
	for ((i = 2; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -- ]] || continue
		if ((i + 1 == COMP_CWORD)); then
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		else
			_kvmwait_argument "$program" "$command" '' FILE "$cur"
		fi
		return
	done
	# --option=value comes as three words.
	if [[ $cur == = ]]; then
		cur=''
	elif [[ $prev == = ]] && ((COMP_CWORD > 3)); then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	_kvmwait_option "$cur" "$prev" "$program" "$command" && return
	read -r word < <("$program" "$command" --help 2>/dev/null)
	case ${word##* } in
	FILE* | '[FILE]' | DIR) word=${word##* }; _kvmwait_argument "$program" "$command" '' "${word//[\[\]]/}" "$cur" ;;
	esac
}

_kvmwait_guest() {
	local program=${COMP_WORDS[0]/#\~\//$HOME/} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i
	COMPREPLY=()
	# --option=value and OP=COUNT come as three words.
	if [[ $cur == = ]]; then
		cur=''
	elif [[ $prev == = ]] && ((COMP_CWORD > 2)); then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
		[[ $prev == -* ]] || return
	fi
	_kvmwait_option "$cur" "$prev" "$program" && return
	[[ ${COMP_WORDS[COMP_CWORD]} != = ]] || return
	_kvmwait_argument "$program" '' '' OP "$cur"
	for i in "${!COMPREPLY[@]}"; do
		COMPREPLY[i]+='='
	done
}

complete -F _kvmwait kvmwait
complete -F _kvmwait_guest kvmwait-guest
