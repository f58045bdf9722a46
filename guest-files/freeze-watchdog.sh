#!/bin/sh
# Thaws the guest when nobody else does: started before a freeze with `sh -c`, so it needs no file in
# the guest, and outlives the agent and the service. Arguments: MARK SECONDS.
#   /run/holdfast/MARK         it waits as long as this is there
#   /run/holdfast/MARK.fired   it had to thaw
# Everything that it writes lies in /run: a write to a frozen disk would hang it.
mark=/run/holdfast/$1
mkdir -p /run/holdfast
: >"$mark"

guard='
  mark=$1 left=$2
  while [ "$left" -gt 0 ]; do
    [ -e "$mark" ] || exit 0
    sleep 1
    left=$((left - 1))
  done
  [ -e "$mark" ] || exit 0
  : >"$mark.fired"
  while read -r device folder kind rest; do
    case $device in
      /dev/*) fsfreeze --unfreeze "$(printf %b "$folder")" 2>/dev/null ;;
    esac
  done </proc/self/mounts
  rm -f "$mark"
'
# Under systemd the agent takes its children with it when it dies; a unit of its own stays.
if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then
  exec systemd-run --quiet --collect sh -c "$guard" holdfast-freeze-watchdog "$mark" "$2"
fi
setsid sh -c "$guard" holdfast-freeze-watchdog "$mark" "$2" </dev/null >/dev/null 2>&1 &
