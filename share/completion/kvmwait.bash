# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# bash completion for kvmwait(1) and kvmwait-guest(1). Needs nothing but bash; tests/completion/run compares it with
# the programs.

# COMMAND OPTION[,OPTION] [WHAT]: an option, and what its argument is completed as.
_kvmwait_table='
trace -d,--duration none
trace -p,--pid tgids
trace --vm none
trace --vcpu none
trace -e,--event events
trace --outcome
trace --callers
trace -f,--format formats
trace -o,--output file
trace --wait
trace --attach-timeout none
trace --bpftrace file
trace --schema
trace -v,--verbose
trace -h,--help
stat -i,--interval none
stat -d,--duration none
stat --by by
stat --top columns
stat --hist
stat --counts
stat -p,--pid tgids
stat --vm none
stat --vcpu none
stat -e,--event events
stat -f,--format stat_formats
stat -o,--output file
stat --wait
stat --attach-timeout none
stat --bpftrace file
stat -v,--verbose
stat -h,--help
blame -d,--duration none
blame -p,--pid tgids
blame --vm none
blame --vcpu none
blame -e,--event spins
blame -f,--format blame_formats
blame -o,--output file
blame --wait
blame --attach-timeout none
blame --bpftrace file
blame -v,--verbose
blame -h,--help
record -o,--output file
record -d,--duration none
record --max-size none
record -z,--compress
record -p,--pid tgids
record --vm none
record --vcpu none
record -e,--event events
record --no-outcome
record --blame
record --wait
record --attach-timeout none
record --bpftrace file
record -v,--verbose
record -h,--help
report -i,--interval none
report --by by
report --top columns
report --hist
report --from none
report --to none
report -f,--format report_formats
report --json
report --html
report -o,--output file
report -h,--help
plan -r,--root file
plan -j,--json
plan --program parts
plan -h,--help
list -j,--json
list -h,--help
check -j,--json
check --bpftrace file
check -h,--help
selftest -j,--json
selftest --show none
selftest --skip operations
selftest --guest file
selftest --bpftrace file
selftest --where none
selftest -v,--verbose
selftest -h,--help
convert -f,--format convert_formats
convert -o,--output file
convert -h,--help
bundle -d,--duration none
bundle -o,--output file
bundle --redact
bundle --max-size none
bundle --items file
bundle --bpftrace file
bundle --list
bundle --extract directory
bundle -h,--help
capture -f,--force
capture -h,--help
kvmwait-guest -n,--name none
kvmwait-guest -c,--vcpus none
kvmwait-guest --comm none
kvmwait-guest --op-timeout none
kvmwait-guest --skip operations
kvmwait-guest --no-pause
kvmwait-guest --gate file
kvmwait-guest --stay none
kvmwait-guest -l,--list
kvmwait-guest -h,--help
kvmwait-guest -V,--version
'

# The words of a kind of argument, one a line.
_kvmwait_words() {
	case $1 in
	commands) printf '%s\n' trace stat blame record report plan list check selftest convert bundle capture ;;
	formats) printf '%s\n' table json ftrace csv perfetto ;;
	parts) printf '%s\n' none outcome callers stat count blame ;;
	spins) printf '%s\n' ple pv_yield ;;
	convert_formats) printf '%s\n' table json ftrace csv perfetto summary ;;
	blame_formats) printf '%s\n' table json ;;
	report_formats) printf '%s\n' table json csv ;;
	stat_formats) printf '%s\n' table json csv openmetrics ;;
	by) printf '%s\n' vm vcpu event source ;;
	columns) printf '%s\n' waits ple hlt yield boosted halted ready ;;
	events) printf '%s\n' ple hlt pv_yield ;;
	operations) kvmwait-guest --list 2>/dev/null | while read -r op _; do [[ $op == OP ]] || printf '%s\n' "$op"; done ;;
	tgids) pgrep '^(qemu|kvm$|crosvm|firecracker|cloud-hyper)' 2>/dev/null ;;
	esac
}

# Fills COMPREPLY with the words of a kind that begin with $2; the last of a list with commas counts.
_kvmwait_fill() {
	local before='' word
	if [[ $1 != commands && $1 != *formats && $1 != columns && $2 == *,* ]]; then
		before=${2%,*},
	fi
	while read -r word; do
		[[ $before$word == "$2"* ]] && COMPREPLY+=("$before$word")
	done < <(_kvmwait_words "$1")
	[[ $1 == commands || $1 == *formats || $1 == columns ]] || compopt -o nospace 2>/dev/null
	return 0
}

_kvmwait_argument() {
	local path
	case $1 in
	none) ;;
	file | directory)
		compopt -o filenames 2>/dev/null
		while read -r path; do
			COMPREPLY+=("$path")
		done < <(compgen -"$([[ $1 == file ]] && echo f || echo d)" -- "$2")
		;;
	*) _kvmwait_fill "$1" "$2" ;;
	esac
}

_kvmwait_options() {
	local command options what option
	while read -r command options what; do
		[[ $command == "$1" ]] || continue
		for option in ${options//,/ }; do
			[[ $option == "$2"* ]] && COMPREPLY+=("$option")
		done
	done <<<"$_kvmwait_table"
	return 0
}

# Prints what the argument of an option is completed as; fails where it takes none.
_kvmwait_what() {
	local command options what
	while read -r command options what; do
		if [[ $command == "$1" && ,$options, == *,"$2",* && $what ]]; then
			printf '%s\n' "$what"
			return
		fi
	done <<<"$_kvmwait_table"
	return 1
}

_kvmwait() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} what word i
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		if [[ $cur == -* ]]; then
			for word in -h --help -V --version; do
				[[ $word == "$cur"* ]] && COMPREPLY+=("$word")
			done
		else
			_kvmwait_fill commands "$cur"
		fi
		return
	fi
	# What stands behind -- is a command and its arguments.
	for ((i = 2; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -- ]] || continue
		if [[ $command == trace || $command == stat || $command == blame || $command == record ]] && ((i + 1 == COMP_CWORD)); then
			while read -r word; do
				COMPREPLY+=("$word")
			done < <(compgen -c -- "$cur")
		else
			_kvmwait_argument file "$cur"
		fi
		return
	done
	# --option=value comes as three words.
	if [[ $cur == = ]]; then
		cur=''
	elif [[ $prev == = ]] && ((COMP_CWORD > 3)); then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if what=$(_kvmwait_what "$command" "$prev"); then
		_kvmwait_argument "$what" "$cur"
	elif [[ $cur == -* ]]; then
		_kvmwait_options "$command" "$cur"
	else
		case $command in
		convert | report | bundle) _kvmwait_argument file "$cur" ;;
		capture) _kvmwait_argument directory "$cur" ;;
		esac
	fi
}

_kvmwait_guest() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} what i
	COMPREPLY=()
	# --option=value and OP=COUNT come as three words.
	if [[ $cur == = ]]; then
		cur=''
	elif [[ $prev == = ]] && ((COMP_CWORD > 2)); then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
		[[ $prev == -* ]] || return
	fi
	if what=$(_kvmwait_what kvmwait-guest "$prev"); then
		_kvmwait_argument "$what" "$cur"
	elif [[ $cur == -* ]]; then
		_kvmwait_options kvmwait-guest "$cur"
	elif [[ ${COMP_WORDS[COMP_CWORD]} != = ]]; then
		_kvmwait_fill operations "$cur"
		for i in "${!COMPREPLY[@]}"; do
			COMPREPLY[i]+==
		done
	fi
}

complete -F _kvmwait kvmwait
complete -F _kvmwait_guest kvmwait-guest
