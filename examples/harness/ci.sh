#!/bin/sh
# A job of a CI: a sandbox for this job alone, a command with its environment, and nothing left, whatever happens.
#
#	examples/harness/ci.sh pytest tests/
#
# JOB names the instance (by default it is made of the CI's run and job); SANDBOX is the launcher.
set -eu
sandbox=${SANDBOX:-sandbox}
job=${JOB:-ci-${GITHUB_RUN_ID:-${CI_JOB_ID:-$$}}}

# Instances that an earlier job has lost: their time is over, or their owner has ended.
"$sandbox" prune --quiet

# The owner is this script: should it be killed, the instance goes. The time to live is for runners that lose the whole machine's processes.
# A failure prints the reason, the check that tells more and the bundle of logs; keep that file as the job's artefact.
"$sandbox" --name "$job" start --quiet --keep-context --owner-pid $$ --ttl 2h
trap '"$sandbox" --name "$job" delete --volume --quiet' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# In two steps: `eval "$(…)"` would go on when the command in it fails.
environment=$("$sandbox" --name "$job" env)
eval "$environment"
code=0
"$@" || code=$?
if [ "$code" -ne 0 ]; then
	"$sandbox" --name "$job" logs --bundle "${ARTIFACTS:-.}/sandbox-$job.tar.gz" || true
fi
exit "$code"
