# SPDX-License-Identifier: Apache-2.0
# What a real zsh offers: a child on a terminal of its own loads the completion system and completes each line of
# standard input. Prints "== LINE" and what was offered, one a line.
# usage: zsh -f zsh.zsh DIRECTORY    with _kvmwait
zmodload zsh/zpty || exit 1
export KVMWAIT_FPATH=$1 KVMWAIT_OUT=$(mktemp -d) TERM=dumb
cat >$KVMWAIT_OUT/lines
cat >$KVMWAIT_OUT/.zshrc <<'RC'
fpath=($KVMWAIT_FPATH $fpath)
autoload -Uz compinit && compinit -u -D
# Notes the matches of every call that adds some.
compadd() {
	local -a hits
	if [[ " ${@[1,(i)(-|--)]} " != *' -'[12JVXMPSpsiIWdrRFEnqUl]#[OAD]' '* ]]; then
		builtin compadd -A hits "$@"
		(( ! $#hits )) || print -rl -- $hits >>$KVMWAIT_OUT/offered
	fi
	builtin compadd "$@"
}
every-line() {
	local line
	for line in ${(f)"$(<$KVMWAIT_OUT/lines)"}; do
		print -r -- "== $line" >>$KVMWAIT_OUT/offered
		BUFFER=$line CURSOR=$#line
		zle complete-word
		BUFFER=
	done
	print done >$KVMWAIT_OUT/done
	zle -I
}
zle -N every-line
bindkey '^X' every-line
PS1=ready
RC
zpty child "ZDOTDIR=$KVMWAIT_OUT zsh -i"
zpty -r child said '*ready*'
zpty -w -n child $'\x18'
integer i
for ((i = 0; i < 600; i++)); do
	[[ ! -e $KVMWAIT_OUT/done ]] || break
	while zpty -r -t child said; do :; done
	sleep 0.1
done
[[ -e $KVMWAIT_OUT/done ]] || print -u2 -r -- "no end: $said"
cat $KVMWAIT_OUT/offered
zpty -d child
rm -r $KVMWAIT_OUT
