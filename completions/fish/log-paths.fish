complete -c log-paths -l kind -d 'Only logs of this kind' -r -f -a "access\t''
error\t''
app\t''"
complete -c log-paths -l root -d 'Read the configurations below DIR, as a system installed there would' -r -f -a "(__fish_complete_directories)"
complete -c log-paths -l conf -d 'Read this configuration of SERVICE instead of the usual one' -r -f
complete -c log-paths -s o -l output -d 'How to report' -r -f -a "json\t''
text\t''"
complete -c log-paths -l timeout -d 'The longest the whole run may take' -r -f
complete -c log-paths -l lock-wait -d 'How long to wait for a lock that somebody else holds' -r -f
complete -c log-paths -l journal -d 'Append the report to FILE, too, as one line' -r -F
complete -c log-paths -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c log-paths -l ansible-args -d 'Read the options from FILE, as Ansible writes it for a module' -r -F
complete -c log-paths -s 0 -l print0 -d 'Print only the names of existing files, each once, ended by a NUL'
complete -c log-paths -l plain -d 'Print only the names of existing files, one a line'
complete -c log-paths -l config-only -d 'Believe the configurations; look at no open files'
complete -c log-paths -l open-only -d 'Look at open files; read no configuration'
complete -c log-paths -l check -d 'Exit with 1 when there are problems'
complete -c log-paths -l create-dirs -d 'Make the directories that logs need and that are missing'
complete -c log-paths -s n -l dry-run -d 'Say what would be done and do nothing'
complete -c log-paths -l diff -d 'Also report what changes, line by line'
complete -c log-paths -s q -l quiet -d 'Print nothing when nothing changed and nothing is wrong'
complete -c log-paths -s v -l verbose -d 'Say more'
complete -c log-paths -s h -l help -d 'Print help: -h a summary, --help the whole'
complete -c log-paths -s V -l version -d 'Print the version'
