# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_cron_render_global_optspecs
    string join \n n/dry-run o/output= diff q/quiet v/verbose timeout= lock-wait= journal= color= ansible-args= h/help V/version
end

function __fish_cron_render_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_cron_render_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_cron_render_using_subcommand
    set -l cmd (__fish_cron_render_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c cron-render -n "__fish_cron_render_needs_command" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c cron-render -n "__fish_cron_render_needs_command" -l timeout -d 'The longest the whole run may take' -r -f
complete -c cron-render -n "__fish_cron_render_needs_command" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c cron-render -n "__fish_cron_render_needs_command" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c cron-render -n "__fish_cron_render_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cron-render -n "__fish_cron_render_needs_command" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c cron-render -n "__fish_cron_render_needs_command" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c cron-render -n "__fish_cron_render_needs_command" -l diff -d 'Also report what changes, line by line'
complete -c cron-render -n "__fish_cron_render_needs_command" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c cron-render -n "__fish_cron_render_needs_command" -s v -l verbose -d 'Say more'
complete -c cron-render -n "__fish_cron_render_needs_command" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c cron-render -n "__fish_cron_render_needs_command" -s V -l version -d 'Print the version'
complete -c cron-render -n "__fish_cron_render_needs_command" -f -a "render" -d 'Print the finished schedule'
complete -c cron-render -n "__fish_cron_render_needs_command" -f -a "lint" -d 'Say what is wrong with a template, or will surprise'
complete -c cron-render -n "__fish_cron_render_needs_command" -f -a "next" -d 'List the next runs, with local time, UTC and what a change of time does'
complete -c cron-render -n "__fish_cron_render_needs_command" -f -a "explain" -d 'Say each schedule in plain English'
complete -c cron-render -n "__fish_cron_render_needs_command" -f -a "diff" -d 'Compare with what is installed; 1 where they differ'
complete -c cron-render -n "__fish_cron_render_needs_command" -f -a "install" -d 'Install the schedule, or bring it up to date'
complete -c cron-render -n "__fish_cron_render_needs_command" -f -a "remove" -d 'Remove what was installed under a name'
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l site -d 'Read the site\'s facts from FACTS (TOML or JSON)' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l name -d 'The site\'s name: of the block, the file, the units' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l dir -d 'The directory with manage.py' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l venv -d 'The virtual environment, from / or from --dir' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l user -d 'Who runs the jobs' -r -f -a "(__fish_complete_users)"
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l env -d 'Set a variable for the jobs' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l mailto -d 'Who gets the jobs\' output by mail; empty for nobody' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l path -d 'The jobs\' PATH' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l shell -d 'The jobs\' shell' -r -f -a "(__fish_complete_command)"
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l tz -d 'The time zone that cron runs by' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l log-dir -d 'Append each job\'s output to a file in DIR' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l lock-dir -d 'Let no job run twice at a time: flock -n on a file in DIR' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l timeout -d 'End each job after this long' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l spread -d 'Move jobs that start together apart, within this long' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l format -d 'What to make: crontab is the default' -r -f -a "crontab\t''
cron.d\t''
systemd\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l dialect -d 'Whose rules: debian is the default' -r -f -a "debian\t''
cronie\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -l diff -d 'Also report what changes, line by line'
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -s v -l verbose -d 'Say more'
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c cron-render -n "__fish_cron_render_using_subcommand render" -s V -l version -d 'Print the version'
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l site -d 'Read the site\'s facts from FACTS (TOML or JSON)' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l name -d 'The site\'s name: of the block, the file, the units' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l dir -d 'The directory with manage.py' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l venv -d 'The virtual environment, from / or from --dir' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l user -d 'Who runs the jobs' -r -f -a "(__fish_complete_users)"
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l env -d 'Set a variable for the jobs' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l mailto -d 'Who gets the jobs\' output by mail; empty for nobody' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l path -d 'The jobs\' PATH' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l shell -d 'The jobs\' shell' -r -f -a "(__fish_complete_command)"
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l tz -d 'The time zone that cron runs by' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l log-dir -d 'Append each job\'s output to a file in DIR' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l lock-dir -d 'Let no job run twice at a time: flock -n on a file in DIR' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l timeout -d 'End each job after this long' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l spread -d 'Move jobs that start together apart, within this long' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l format -d 'What to make: crontab is the default' -r -f -a "crontab\t''
cron.d\t''
systemd\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l dialect -d 'Whose rules: debian is the default' -r -f -a "debian\t''
cronie\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -l diff -d 'Also report what changes, line by line'
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -s v -l verbose -d 'Say more'
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c cron-render -n "__fish_cron_render_using_subcommand lint" -s V -l version -d 'Print the version'
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -s c -l count -d 'How many runs of each job; 5 is the default' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l from -d 'Runs at or after TIME; now is the default' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l until -d 'Runs before TIME' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l site -d 'Read the site\'s facts from FACTS (TOML or JSON)' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l name -d 'The site\'s name: of the block, the file, the units' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l dir -d 'The directory with manage.py' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l venv -d 'The virtual environment, from / or from --dir' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l user -d 'Who runs the jobs' -r -f -a "(__fish_complete_users)"
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l env -d 'Set a variable for the jobs' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l mailto -d 'Who gets the jobs\' output by mail; empty for nobody' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l path -d 'The jobs\' PATH' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l shell -d 'The jobs\' shell' -r -f -a "(__fish_complete_command)"
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l tz -d 'The time zone that cron runs by' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l log-dir -d 'Append each job\'s output to a file in DIR' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l lock-dir -d 'Let no job run twice at a time: flock -n on a file in DIR' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l timeout -d 'End each job after this long' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l spread -d 'Move jobs that start together apart, within this long' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l format -d 'What to make: crontab is the default' -r -f -a "crontab\t''
cron.d\t''
systemd\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l dialect -d 'Whose rules: debian is the default' -r -f -a "debian\t''
cronie\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -l diff -d 'Also report what changes, line by line'
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -s v -l verbose -d 'Say more'
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c cron-render -n "__fish_cron_render_using_subcommand next" -s V -l version -d 'Print the version'
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -s e -l expression -d 'Explain this schedule' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l site -d 'Read the site\'s facts from FACTS (TOML or JSON)' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l name -d 'The site\'s name: of the block, the file, the units' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l dir -d 'The directory with manage.py' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l venv -d 'The virtual environment, from / or from --dir' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l user -d 'Who runs the jobs' -r -f -a "(__fish_complete_users)"
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l env -d 'Set a variable for the jobs' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l mailto -d 'Who gets the jobs\' output by mail; empty for nobody' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l path -d 'The jobs\' PATH' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l shell -d 'The jobs\' shell' -r -f -a "(__fish_complete_command)"
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l tz -d 'The time zone that cron runs by' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l log-dir -d 'Append each job\'s output to a file in DIR' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l lock-dir -d 'Let no job run twice at a time: flock -n on a file in DIR' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l timeout -d 'End each job after this long' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l spread -d 'Move jobs that start together apart, within this long' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l format -d 'What to make: crontab is the default' -r -f -a "crontab\t''
cron.d\t''
systemd\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l dialect -d 'Whose rules: debian is the default' -r -f -a "debian\t''
cronie\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -l diff -d 'Also report what changes, line by line'
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -s v -l verbose -d 'Say more'
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c cron-render -n "__fish_cron_render_using_subcommand explain" -s V -l version -d 'Print the version'
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l site -d 'Read the site\'s facts from FACTS (TOML or JSON)' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l name -d 'The site\'s name: of the block, the file, the units' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l dir -d 'The directory with manage.py' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l venv -d 'The virtual environment, from / or from --dir' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l user -d 'Who runs the jobs' -r -f -a "(__fish_complete_users)"
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l env -d 'Set a variable for the jobs' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l mailto -d 'Who gets the jobs\' output by mail; empty for nobody' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l path -d 'The jobs\' PATH' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l shell -d 'The jobs\' shell' -r -f -a "(__fish_complete_command)"
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l tz -d 'The time zone that cron runs by' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l log-dir -d 'Append each job\'s output to a file in DIR' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l lock-dir -d 'Let no job run twice at a time: flock -n on a file in DIR' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l timeout -d 'End each job after this long' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l spread -d 'Move jobs that start together apart, within this long' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l format -d 'What to make: crontab is the default' -r -f -a "crontab\t''
cron.d\t''
systemd\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l dialect -d 'Whose rules: debian is the default' -r -f -a "debian\t''
cronie\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -l diff -d 'Also report what changes, line by line'
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -s v -l verbose -d 'Say more'
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c cron-render -n "__fish_cron_render_using_subcommand diff" -s V -l version -d 'Print the version'
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l site -d 'Read the site\'s facts from FACTS (TOML or JSON)' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l name -d 'The site\'s name: of the block, the file, the units' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l dir -d 'The directory with manage.py' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l venv -d 'The virtual environment, from / or from --dir' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l user -d 'Who runs the jobs' -r -f -a "(__fish_complete_users)"
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l env -d 'Set a variable for the jobs' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l mailto -d 'Who gets the jobs\' output by mail; empty for nobody' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l path -d 'The jobs\' PATH' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l shell -d 'The jobs\' shell' -r -f -a "(__fish_complete_command)"
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l tz -d 'The time zone that cron runs by' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l log-dir -d 'Append each job\'s output to a file in DIR' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l lock-dir -d 'Let no job run twice at a time: flock -n on a file in DIR' -r -f -a "(__fish_complete_directories)"
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l timeout -d 'End each job after this long' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l spread -d 'Move jobs that start together apart, within this long' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l format -d 'What to make: crontab is the default' -r -f -a "crontab\t''
cron.d\t''
systemd\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l dialect -d 'Whose rules: debian is the default' -r -f -a "debian\t''
cronie\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l force -d 'Replace a block or file that was edited by hand, or is not ours'
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -l diff -d 'Also report what changes, line by line'
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -s v -l verbose -d 'Say more'
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c cron-render -n "__fish_cron_render_using_subcommand install" -s V -l version -d 'Print the version'
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -l name -d 'The site\'s name' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -l user -d 'Whose crontab; yours is the default' -r -f -a "(__fish_complete_users)"
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -l format -d 'Where it was installed: crontab is the default' -r -f -a "crontab\t''
cron.d\t''
systemd\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -l dialect -d 'Whose rules: debian is the default' -r -f -a "debian\t''
cronie\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -l timeout -d 'The longest the whole run may take' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -l force -d 'Replace a block or file that was edited by hand, or is not ours'
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -l diff -d 'Also report what changes, line by line'
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -s v -l verbose -d 'Say more'
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c cron-render -n "__fish_cron_render_using_subcommand remove" -s V -l version -d 'Print the version'
