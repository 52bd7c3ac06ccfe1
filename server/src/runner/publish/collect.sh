# Makes one bundle of what an agent has left in a checkout. It runs where the agent ran, in its sandbox, because by now the
# checkout's settings are whatever the agent wanted them to be.
#
# Arguments: the commit that the agent began with, the size in KiB above which a file is left out, and pathspecs of files that
# nobody wants. In the environment: who commits, and MILLRACE_MESSAGE. Prints the bundle, or nothing when there is nothing.
# On standard error, lines that begin with `note: ` are for people.
set -eu
base=$1
largest=$2
shift 2

# Nothing above this directory is meant, and no setting of the checkout may be in the way.
export GIT_DIR=.git GIT_WORK_TREE=. GIT_NO_REPLACE_OBJECTS=1 GIT_TERMINAL_PROMPT=0
export GIT_CONFIG_COUNT=5
export GIT_CONFIG_KEY_0=core.hooksPath GIT_CONFIG_VALUE_0=/dev/null
export GIT_CONFIG_KEY_1=core.fsmonitor GIT_CONFIG_VALUE_1=false
export GIT_CONFIG_KEY_2=gc.auto GIT_CONFIG_VALUE_2=0
export GIT_CONFIG_KEY_3=maintenance.auto GIT_CONFIG_VALUE_3=false
# The checkout goes with its attempt, so nothing in it has to outlive the machine.
export GIT_CONFIG_KEY_4=core.fsync GIT_CONFIG_VALUE_4=none

# Nobody writes here any more. Of files that are as old as the index git cannot know that, and it looks into each of them whenever
# it reads or writes the index, which takes longer than all else here.
seal_index() { touch -c -d '+2 seconds' .git/index || :; }

# A git that was killed leaves its lock.
rm -f .git/index.lock
# The index was written by another user, so every file looks as if somebody had touched it, and would be stored once more. Git
# looks at them all; what it finds the same stays the same.
git update-index -q --refresh >/dev/null || :
seal_index

# What is too large is named, unless it is ignored or as it was. A repository inside of this one would become a link to a
# commit that nobody else has: its files are what was made. Git begins to look when all this is said.
leave_out='
for file do
  if [ -n "$(git --literal-pathspecs ls-files --modified --others --exclude-standard -- "$file")" ]; then
    printf "note: %s is left out: it is larger than %s MiB.\n" "$(printf %s "${file#./}" | tr "\n" " ")" "$((LARGEST / 1024))" >&2
    printf ":(exclude,literal)%s\0" "${file#./}"
  fi
done'
{
  printf '.\0'
  for pattern do printf ':(exclude,glob)%s\0' "$pattern"; done
  LARGEST=$largest find . -path ./.git -prune -o -name .git -type d -prune -exec rm -rf {} + \
    -o -type f -size +"$largest"k -exec sh -c "$leave_out" leave_out {} +
} | git add --all --pathspec-from-file=- --pathspec-file-nul
seal_index

start=$(git rev-parse --verify --quiet 'HEAD^{commit}') || start=$base
if [ "$start" != "$base" ] && ! git merge-base --is-ancestor "$base" "$start"; then
  echo 'note: The agent rewrote the history it began with, so its commits are published as one.' >&2
  start=$base
fi
head=$start
# Not `git commit`: it would go on with a merge or a rebase that the agent has left.
tree=$(git write-tree)
if [ "$tree" != "$(git rev-parse "$start^{tree}")" ]; then
  head=$(printf '%s\n' "$MILLRACE_MESSAGE" | git commit-tree "$tree" -p "$start")
fi
[ "$head" != "$base" ] || exit 0
# What `git bundle create` prints, without the ref that it wants and with a process less.
printf '# v2 git bundle\n-%s\n%s refs/millrace/result\n\n' "$base" "$head"
printf '%s\n^%s\n' "$head" "$base" | git pack-objects --quiet --revs --stdout --thin --delta-base-offset
