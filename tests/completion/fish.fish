# SPDX-License-Identifier: Apache-2.0
# What a real fish offers for each line of standard input. Prints "== LINE" and what was offered, one a line.
# usage: fish --no-config fish.fish FILE    with the completion
source $argv[1]
while read -l line
    echo "== $line"
    complete -C "$line" | string replace -r '\t.*' ''
end
