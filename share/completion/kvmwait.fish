# SPDX-License-Identifier: Apache-2.0
# fish completion for kvmwait(1) and kvmwait-guest(1). Commands, options, arguments and texts are what the program's own
# --help says, so that they are those of the program that is installed. tests/completion/run tries it in a real fish.

# COMMAND: stands there, and no -- behind which another command begins.
function __kvmwait_is
    set -l words (commandline -opc)
    test "$words[2]" = "$argv[1]"; and not contains -- -- $words
end

# The values of an option which takes one of a few: what the program says of one that is none of them. Should it
# take that after all, it ends with its help.
function __kvmwait_values -a command option
    if test $option = --skip
        __kvmwait_operations
        return
    end
    command kvmwait $command $option - --help 2>&1 | string replace -rf '.*: must be one of ' '' | string split ', '
end

function __kvmwait_operations
    command kvmwait-guest --list 2>/dev/null | string replace -rf '^([a-z][^ ]*) +[^ ]+ +[^ ]+ +[^ ]+ +[^ ]+ +' '$1\t'
end

function __kvmwait_parts
    command kvmwait list 2>/dev/null | string replace -rf '^([a-z_]+)[-0-9a-z.]*\.part .*' '$1' | sort -u
end

function __kvmwait_tgids
    pgrep -l '^(qemu|kvm$|crosvm|firecracker|cloud-hyper)' 2>/dev/null | string replace ' ' \t
end

# What stands behind -- is a command and its arguments.
function __kvmwait_behind_dashes
    set -l words (commandline -opc)
    set -l at (contains -i -- -- $words); or return
    complete -C (string join ' ' -- (string escape -- $words[(math $at + 1)..]) (commandline -ct))
end

# PROGRAM COMMAND OPTION ARGUMENT: how complete takes what can stand behind an option, one word a line.
function __kvmwait_argument -a program command option what
    switch "$what"
        case ''
        case FILE PATH
            printf '%s\n' -r -F
        case DIR
            printf '%s\n' -x -a '(__fish_complete_directories (commandline -ct))'
        case TGID
            printf '%s\n' -x -a '(__fish_complete_list , __kvmwait_tgids)'
        case '[PARTS]'
            printf '%s\n' -x -a '(__fish_complete_list , __kvmwait_parts)'
        case 'OP*'
            printf '%s\n' -x -a '(__fish_complete_list , __kvmwait_operations)'
        case LIST
            printf '%s\n' -x -a "(__fish_complete_list , '__kvmwait_values $command $option')"
        case FORMAT COLUMN
            printf '%s\n' -x -a "(__kvmwait_values $command $option)"
        case '*'
            printf '%s\n' -x
    end
end

# PROGRAM [COMMAND]: the options that its help lists.
function __kvmwait_options -a program command
    set -l condition
    test -z "$command"; or set condition -n "__kvmwait_is $command"
    command $program $command --help 2>/dev/null |
        string replace -rf '^ +(?:-([A-Za-z]), )?--([a-z0-9-]+)(?: (\[?[A-Z][^ ]*))?(?: +(.*))?$' '$1\t$2\t$3\t$4' |
        while read -d \t -l letter long what text
            set -l short
            test -z "$letter"; or set short -s $letter
            complete -c $program $condition $short -l $long -d "$text" (__kvmwait_argument $program "$command" --$long "$what")
        end
end

complete -c kvmwait -f
complete -c kvmwait -n 'test (count (commandline -opc)) = 1' -s h -l help -d 'print the help'
complete -c kvmwait -n 'test (count (commandline -opc)) = 1' -s V -l version -d 'print the version'
complete -c kvmwait -a '(__kvmwait_behind_dashes)'
command kvmwait --help 2>/dev/null | sed -nE '/^commands:/,/^$/ s/^  ([a-z]+) +(.*)/\1\t\2/p' | while read -d \t -l name text
    complete -c kvmwait -n 'test (count (commandline -opc)) = 1' -a $name -d "$text"
    __kvmwait_options kvmwait $name
    switch (command kvmwait $name --help 2>/dev/null | string replace -rf '^usage: .* ' '')
        case 'FILE*'
            complete -c kvmwait -n "__kvmwait_is $name" -F
        case DIR
            complete -c kvmwait -n "__kvmwait_is $name" -a '(__fish_complete_directories (commandline -ct))'
    end
end

complete -c kvmwait-guest -f -a "(__kvmwait_operations | string replace \t =\t)"
__kvmwait_options kvmwait-guest
