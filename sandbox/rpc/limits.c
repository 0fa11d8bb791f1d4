#include "rpc/limits.h"

static void size_default(size_t *field, size_t value)
{
	if (!*field)
		*field = value;
}

static void count_default(unsigned *field, unsigned value)
{
	if (!*field)
		*field = value;
}

static void time_default(int64_t *field, int64_t value)
{
	if (!*field)
		*field = value;
}

void rpc_limits_fill(struct rpc_limits *limits)
{
	const size_t kib = 1024, mib = 1024 * kib;
	size_default(&limits->message_maximum, 20 * mib);
	size_default(&limits->arena_maximum, 256 * mib);
	size_default(&limits->memory_maximum, 512 * mib);
	size_default(&limits->connection_buffer, 32 * mib);
	size_default(&limits->connection_memory, 64 * mib);
	size_default(&limits->queue_maximum, 1024);
	count_default(&limits->connection_maximum, 1024);
	count_default(&limits->stream_maximum, 128);
	size_default(&limits->header_maximum, 64 * kib);
	time_default(&limits->head_ms, 10 * 1000);
	time_default(&limits->stall_ms, 60 * 1000);
	size_default(&limits->rate_minimum, 64 * kib);
	time_default(&limits->idle_ms, 15 * 60 * 1000);
	time_default(&limits->drain_ms, 1000);
	time_default(&limits->evict_ms, 1000);
}

bool rpc_charge_take(struct rpc_charge *charge, struct rpc_memory *memory, size_t bytes)
{
	size_t before = atomic_fetch_add(&memory->used, bytes);
	if (before + bytes > memory->maximum) {
		atomic_fetch_sub(&memory->used, bytes);
		return false;
	}
	charge->memory = memory;
	charge->bytes += bytes;
	return true;
}

void rpc_charge_set(struct rpc_charge *charge, struct rpc_memory *memory, size_t bytes)
{
	rpc_charge_release(charge);
	atomic_fetch_add(&memory->used, bytes);
	*charge = (struct rpc_charge){ .memory = memory, .bytes = bytes };
}

void rpc_charge_release(struct rpc_charge *charge)
{
	if (charge->bytes)
		atomic_fetch_sub(&charge->memory->used, charge->bytes);
	charge->bytes = 0;
}

bool rpc_memory_is_short(const struct rpc_memory *memory)
{
	return atomic_load(&memory->used) > memory->maximum / 2;
}

int64_t rpc_limits_stall_ms(const struct rpc_limits *limits, const struct rpc_memory *memory)
{
	return rpc_memory_is_short(memory) ? limits->stall_ms / 6 : limits->stall_ms;
}

int64_t rpc_limits_pace_ms(const struct rpc_limits *limits, int64_t stall_ms, int64_t begun_ms, size_t bytes)
{
	return begun_ms + stall_ms + (int64_t)(bytes / limits->rate_minimum) * 1000;
}

void rpc_budget_init(struct rpc_budget *budget, int64_t now_ms)
{
	*budget = (struct rpc_budget){ .left = RPC_BUDGET, .filled_ms = now_ms };
}

void rpc_budget_earn(struct rpc_budget *budget, int64_t credit)
{
	budget->left = budget->left + credit < RPC_BUDGET ? budget->left + credit : RPC_BUDGET;
}

bool rpc_budget_spend(struct rpc_budget *budget, int64_t cost, int64_t now_ms)
{
	int64_t passed = now_ms - budget->filled_ms;
	if (passed > 0) {
		/* A tenth a second is RPC_BUDGET / 10 000 a millisecond; more than all cannot be missing. */
		rpc_budget_earn(budget, passed < 10000 ? passed * RPC_BUDGET / 10000 : RPC_BUDGET);
		budget->filled_ms = now_ms;
	}
	budget->left -= cost;
	return budget->left >= 0;
}
