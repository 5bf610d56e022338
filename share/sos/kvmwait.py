# SPDX-License-Identifier: Apache-2.0
# What kvmwait has to say of a host, in the report of sos: its check, its plan, and a bundle (kvmwait-bundle(1)).
#
# Goes among sos' own plugins: its directory is printed by
#   /usr/bin/python3 -c 'import sos.report.plugins as p; print(p.__path__[0])'
# It is on wherever kvmwait is installed. 'sos report -k kvmwait.duration=30' records for half a minute instead of five
# seconds; with a duration of 0 nothing is recorded, and there is no bundle.
#
# 'sos clean' does not look into the bundle, where names of hosts and VMs stand. Who must not give them away leaves it
# out, and sends one that 'kvmwait bundle --redact' made.

from shlex import quote

from sos.report.plugins import Plugin, IndependentPlugin, DebianPlugin

try:
    from sos.report.plugins import PluginOpt
except ImportError:  # before 4.2
    PluginOpt = None

DURATION = ('duration', 'seconds to record for the bundle, 0: no bundle', 5)
# What a bundle takes at most beside what it records: the seconds of all the items of share/bundle.list.
BUNDLE_S = 1300


def _option(name, desc, default):
    if PluginOpt:
        return PluginOpt(name, default=default, val_type=int, desc=desc)
    return (name, desc, 'slow', default)


# On Debian and Ubuntu sos 4.0 takes only what says that it is for them.
class Kvmwait(Plugin, IndependentPlugin, DebianPlugin):

    short_desc = 'Where vCPUs of KVM wait'

    plugin_name = 'kvmwait'
    profiles = ('virt', 'performance')
    packages = ('kvmwait',)
    commands = ('kvmwait',)
    option_list = [_option(*DURATION)]

    def setup(self):
        # Each file has its own name: what they print to standard error is no JSON.
        self.add_cmd_output('kvmwait check --json', stderr=False,
                            suggest_filename='check.json')
        self.add_cmd_output('kvmwait plan --json', stderr=False,
                            suggest_filename='plan.json')
        duration = int(self.get_option('duration'))
        if duration <= 0:
            return
        limit = 3 * duration + BUNDLE_S
        # sos ends a plugin that takes longer than this, unless it was told another limit. Before 4.2 its own default
        # (300) cannot be told from what somebody asked for, and would come first.
        self.plugin_timeout = limit + 200
        if not PluginOpt and int(self.get_option('timeout')) < 0:
            if self.get_option('plugin_timeout') in (None, 300):
                self.set_option('timeout', self.plugin_timeout)
        # Written where the report is put together, a directory that the first command's output made. So it need not
        # go through memory, nor lose its beginning to the limit that sos has for what a command prints.
        path = self.get_cmd_output_path(name='kvmwait-bundle.tar.zst',
                                        make=False)
        self.add_cmd_output('kvmwait bundle -d %d -o %s' %
                            (duration, quote(self.strip_sysroot(path))),
                            suggest_filename='bundle.log', timeout=limit)
