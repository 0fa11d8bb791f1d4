#include "cli/lifecycle/prune.h"

#include "base/text.h"
#include "cli/instance/instance_lock.h"
#include "cli/instance/instances.h"
#include "cli/instance/lifetime.h"
#include "cli/lifecycle/removal.h"

/* Why it goes; NULL when it stays. */
static char *reason_of(const struct instance_entry *entry, const struct prune_wish *wish)
{
	char *over = lifetime_over(entry->labels);
	if (over || !wish->volumes || entry->sandbox.state != SANDBOX_ABSENT)
		return over;
	return xstrdup("its container is gone");
}

/* Under the lock: a start may have made something else of it since the first look. */
static int remove_if_still_over(struct cli *cli, const struct prune_wish *wish, bool *ret_removed, struct err *e)
{
	auto_instance_lock struct instance_lock lock = INSTANCE_LOCK_INIT;
	auto_instances struct instances now = INSTANCES_INIT;
	if (instance_lock_take(cli, INSTANCE_LOCK_TIMEOUT_MS, &lock, e) < 0 || instances_find(cli, &now, e) < 0)
		return -1;
	for (size_t i = 0; i < now.count; i++) {
		if (!text_equal(now.items[i].name, cli->instance.name))
			continue;
		auto_free char *reason = reason_of(&now.items[i], wish);
		if (reason && instance_remove(cli, true, e) < 0)
			return -1;
		*ret_removed = reason != NULL;
	}
	return 0;
}

static int remove_one(struct cli *cli, const struct instance_entry *entry, const struct prune_wish *wish,
                      json_t *removed, struct err *e)
{
	auto_free char *reason = reason_of(entry, wish);
	if (!reason || (wish->only && !text_equal(wish->only, entry->name)))
		return 0;
	bool gone = wish->dry_run;
	struct cli other;
	int outcome = cli_for_instance(cli, entry->name, &other, e);
	if (outcome == 0 && !wish->dry_run)
		outcome = remove_if_still_over(&other, wish, &gone, e);
	cli_release(&other);
	if (gone)
		json_array_append_new(removed, json_pack("{s:s, s:s}", "name", entry->name, "reason", reason));
	return outcome;
}

int prune(struct cli *cli, const struct prune_wish *wish, json_t *removed, struct err *e)
{
	auto_instances struct instances instances = INSTANCES_INIT;
	int outcome = instances_find(cli, &instances, e);
	for (size_t i = 0; i < instances.count; i++) {
		if (remove_one(cli, &instances.items[i], wish, removed, e) < 0)
			outcome = -1;
		if (outcome < 0 && e && e->kind == ERR_CANCELLED)
			break;
	}
	return outcome;
}
