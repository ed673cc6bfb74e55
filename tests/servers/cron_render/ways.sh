# Ways in which an installed line cannot run, or not as meant: install names each, and `try` shows it.
# Runs in a namespace of its own, as root; $TOOL is cron-render. Prints a line for each way that is
# not as the table says.
set +e -u
rm -f /run/crond.pid /etc/cron.allow /etc/cron.deny
useradd --create-home --shell /bin/sh way 2>/dev/null
chmod 755 /home/way
template=/home/way/cron.txt
count=0

# A site whose jobs can run.
whole() {
    chage -E -1 -M -1 -d 2024-01-01 way
    rm -rf /home/way/site /home/way/log /home/way/lock /home/way/env /etc/cron.d/way
    mkdir -p /home/way/site/venv/bin /home/way/log /home/way/lock
    ln -s /bin/true /home/way/site/venv/bin/python
    : >/home/way/site/manage.py
    printf 'SECRET_KEY=abc\n' >/home/way/env
    chown -R way: /home/way
    printf '15 0 * * * python manage.py clearsessions\n' >$template
    site="--dir /home/way/site --log-dir /home/way/log --lock-dir /home/way/lock --env-file /home/way/env"
    format=crontab
}

# way NAME install-exit CODE TEXT try-exit: 'x' is any but 0, '-' is for no trial.
way() {
    count=$((count + 1))
    said=$($TOOL install "$template" --name way --user way --format $format $site 2>&1)
    code=$?
    $TOOL remove --name way --user way --format $format >/dev/null 2>&1
    case $2 in
    "$code") ;;
    *) echo "$1: install exits $code, not $2: $said" ;;
    esac
    case $said in
    *"$3"*"$4"*) ;;
    *) echo "$1: not named ($3 $4): $said" ;;
    esac
    [ "$5" != - ] || { whole; return; }
    tried=$($TOOL try "${job:-clearsessions}" "$template" --name way --user way --format $format $site 2>&1)
    code=$?
    case $5 in
    x) [ $code != 0 ] || echo "$1: try exits 0: $tried" ;;
    *) [ $code = "$5" ] || echo "$1: try exits $code, not $5: $tried" ;;
    esac
    whole
}

whole
# W23 is there in every row: no daemon runs in this namespace.
way "nothing is wrong" 0 W23 "no process of Debian's cron runs" 0
site="$site --dir /srv/tpyo"; site=$(echo "$site" | sed 's,--dir /home/way/site ,,')
way "the directory is misspelled" 2 E14 "'/srv/tpyo' does not exist" x
chown root: /home/way/site; chmod 700 /home/way/site
way "the directory is root's" 2 E14 "may not enter the directory" x
rm -rf /home/way/site; : >/home/way/site
way "the directory is a file" 2 E14 "is not a directory" x
rm /home/way/site/manage.py
way "manage.py is missing" 2 E14 "manage.py' does not exist" -
chown root: /home/way/site/manage.py; chmod 600 /home/way/site/manage.py
way "manage.py is root's" 2 E14 "may not read manage.py" -
rm -rf /home/way/site/venv
way "the venv is missing" 2 E14 "the interpreter '/home/way/site/venv/bin/python' does not exist" x
ln -sf /usr/bin/python2.5 /home/way/site/venv/bin/python
way "the interpreter was upgraded away" 2 E14 "the interpreter" x
rm /home/way/site/venv/bin/python; : >/home/way/site/venv/bin/python
way "the interpreter is not executable" 2 E14 "may not execute the interpreter" x
rm /home/way/site/venv/bin/python; printf '#!/nowhere/python\n' >/home/way/site/venv/bin/python; chmod 755 /home/way/site/venv/bin/python
way "the interpreter's own interpreter is gone" 2 E14 "names an interpreter that does not exist" x
chmod 700 /home/way/site/venv; chown root: /home/way/site/venv
way "the venv is root's" 2 E14 "the interpreter" x
rmdir /home/way/log
way "the log directory is missing" 2 E14 "the directory of the log '/home/way/log" x
chown root: /home/way/log
way "the log directory is root's" 2 E14 "may not make the log" x
: >/home/way/log/way-clearsessions.log
way "the log is root's" 2 E14 "may not write the log" x
mkdir /home/way/log/way-clearsessions.log
way "the log is a directory" 2 E14 "the log '/home/way/log/way-clearsessions.log' is not a file" x
rmdir /home/way/lock
way "the lock directory is missing" 2 E14 "the directory of the lock" x
chown root: /home/way/lock
way "the lock directory is root's" 2 E14 "may not make the lock" x
: >/home/way/lock/way-clearsessions.lock; chmod 600 /home/way/lock/way-clearsessions.lock
way "the lock is root's" 2 E14 "may not write the lock" x
mkdir -p -m 1777 /srv/open
site="$site --lock-dir /srv/open"; site=$(echo "$site" | sed 's,--lock-dir /home/way/lock ,,')
way "the lock is where every user writes" 0 W27 "'/srv/open' can be written by every user" 0
site="$site --shell /bin/nosuch"
way "the shell is missing" 2 E14 "the shell '/bin/nosuch' does not exist" 125
site="$site --shell /etc/passwd"
way "the shell is no program" 2 E14 "may not execute the shell" 125
site="$site --path /opt/none"
way "PATH lacks flock" 2 E14 "'flock' is not on the PATH of the job" -
rm /home/way/env
way "the environment file is missing" 2 E14 "the environment file '/home/way/env' does not exist" x
chown root: /home/way/env; chmod 600 /home/way/env
way "the environment file is root's" 2 E14 "may not read the environment file" x
printf 'SECRET_KEY=a b\n' >/home/way/env
way "a shell reads the environment file differently" 2 E14 "line 1: a blank ends the value" x
chage -E 1 way
way "the account has expired" 2 E14 "the account has expired" 125
chage -d 0 way
way "the password has to be changed" 2 E14 "the password has to be changed" 125
site="$site --log-dir /home/way/$(printf 'x%.0s' $(seq 990))"; site=$(echo "$site" | sed 's,--log-dir /home/way/log ,,')
way "the line is too long" 2 E07 "bytes" -
site="$site --env A=$(printf 'x%.0s' $(seq 990))"
way "the line is too long for its variables" 2 E07 "bytes" -

# Commands that stay as they are.
site=
job=1
echo '1 2 * * * psqlx -c x' >$template
way "the program is not on PATH" 0 W08 "psqlx" 127
echo '1 2 * * * bin/backup' >$template; site=
way "a relative path" 0 W07 "" 127
echo '1 2 * * * source bin/activate' >$template; site=
way "sh has no source" 0 W08 "source" 127
echo '1 2 * * * cd /srv/tpyo && true' >$template; site=
way "the command's own directory is missing" 0 W22 "/srv/tpyo" x
echo '1 2 * * * true >>/srv/tpyo/log' >$template; site=
way "the command's own log is nowhere" 0 W22 "/srv/tpyo/log" x
echo '1 2 * * * test "$(date +%d)" = 32' >$template; site=
way "a percent sign" 0 W05 "%" x
printf 'PATH=$HOME/bin\n1 2 * * * psqlx\n' >$template; site=; job=2
way "a variable in PATH" 0 W09 "HOME" 127
printf 'SHELL=/bin/nosuch\n1 2 * * * true\n' >$template; site=
way "SHELL of the template is missing" 2 E14 "/bin/nosuch" 125
printf 'HOME=/nowhere\n1 2 * * * test -d "$HOME"\n' >$template; site=
way "HOME of the template is missing" 0 W22 "HOME '/nowhere' does not exist; Debian's cron then starts the job elsewhere" x
job=1
echo '1 2 30 2 * true' >$template; site=
way "the day never comes" 2 E04 "" -
echo '1 25 * * * true' >$template; site=
way "the hour never comes" 2 E02 "" -
printf '1 2 * * * true' >$template; site=
way "the last line has no end" 2 E06 "" -
printf '1 2 * * *\n' >$template; site=
way "there is no command" 2 E05 "" -
template=/root/way.txt
printf '1 2 * * * nosuchuser true\n' >$template; site="--form system"; format=cron.d
said=$($TOOL install $template --name way --form system --format cron.d 2>&1)
case $? in 2) ;; *) echo "the line's user is unknown: $said" ;; esac
case $said in *E10*nosuchuser*) count=$((count + 1)) ;; *) echo "the line's user is unknown: $said" ;; esac
echo '1 2 * * * true' >$template
said=$($TOOL install "$template" --name way.d --user way --format cron.d 2>&1)
case $? in 2) ;; *) echo "a dot in the name: $said" ;; esac
case $said in *E11*) count=$((count + 1)) ;; *) echo "a dot in the name: $said" ;; esac
template=/home/way/cron.txt
whole

# The user is not in cron.allow.
echo root >/etc/cron.allow
cp "$TOOL" /home/way/cron-render; printf '1 2 * * * true\n' >$template; chown way: $template
said=$(cd /home/way && setpriv --reuid way --regid way --init-groups env -i HOME=/home/way PATH=/usr/bin:/bin ./cron-render install cron.txt --name way 2>&1)
case $? in 3) ;; *) echo "cron.allow: $said" ;; esac
case $said in *"not allowed to use this program"*) count=$((count + 1)) ;; *) echo "cron.allow: $said" ;; esac
rm /etc/cron.allow
# There is no cron at all.
said=$(PATH=/nowhere $TOOL install $template --name way --user way 2>&1)
case $? in 3) ;; *) echo "no cron: $said" ;; esac
case $said in *"no cron is installed"*) count=$((count + 1)) ;; *) echo "no cron: $said" ;; esac
# The home directory is gone.
rm -rf /home/way; mkdir -p /srv/way; template=/srv/way/cron.txt; echo '1 2 * * * test "$PWD" = /home/way' >$template
said=$($TOOL install $template --name way --user way 2>&1)
case $said in *W22*"HOME '/home/way' does not exist"*) count=$((count + 1)) ;; *) echo "no home: $said" ;; esac
$TOOL try 1 $template --name way --user way >/dev/null 2>&1 && echo "no home: try exits 0"
echo "ways: $count"
