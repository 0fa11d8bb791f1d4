/* DataCatalog through its RPCs, against a real Postgres and an object store in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "controlplane/api/api.h"
#include "controlplane/store/catalog_tables.h"
#include "fake_objects.h"
#include "postgres.h"

#include <libpq-fe.h>
#include <poll.h>
#include <string.h>

static struct postgres *postgres;
static struct fake_objects *store;
static struct api_config config;
static struct api api;
static struct rpc_call call;
static struct arena arena = ARENA_INIT((size_t)256 << 20);
static char *url;

/* ---- Harness ---- */

static void *rpc(const char *method, const void *request, struct err *e)
{
	const struct api_methods methods = api_catalog_methods();
	const char *path = arena_printf(&arena, "/datacatalog.DataCatalog/%s", method);
	for (size_t i = 0; i < methods.count; i++) {
		if (!text_equal(methods.methods[i].path, path))
			continue;
		assert_ptr_equal(((const ProtobufCMessage *)request)->descriptor, methods.methods[i].request);
		ProtobufCMessage *response = methods.methods[i].handler(&api, &call, request, e);
		if (response)
			assert_ptr_equal(response->descriptor, methods.methods[i].response);
		return response;
	}
	fail_msg("no method %s", method);
	return NULL;
}

static void *succeed(const char *method, const void *request)
{
	auto_err struct err e = ERR_INIT;
	void *response = rpc(method, request, &e);
	if (!response)
		fail_msg("%s: %s", method, err_message(&e));
	return response;
}

static void refuse(const char *method, const void *request, enum err_kind kind, const char *text)
{
	auto_err struct err e = ERR_INIT;
	if (rpc(method, request, &e))
		fail_msg("%s was accepted", method);
	if (e.kind != kind || !strstr(err_message(&e), text))
		fail_msg("%s: %d %s", method, (int)e.kind, err_message(&e));
}

static void run(const char *sql)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	if (database_borrow(api.database, clock_monotonic_ms() + 10000, &c, &e) < 0 ||
	    database_execute(c, sql, NULL, 0, &e) < 0)
		fail_msg("%s: %s", sql, err_message(&e));
}

static Datacatalog__DatasetID *dataset_id(const char *name)
{
	Datacatalog__DatasetID *id = proto_new(&arena, datacatalog__dataset_id);
	id->project = arena_strdup(&arena, "flytesnacks");
	id->domain = arena_strdup(&arena, "development");
	id->name = arena_strdup(&arena, name);
	id->version = arena_strdup(&arena, "1");
	return id;
}

static Datacatalog__CreateDatasetRequest *new_dataset(const char *name, const char *partition_key)
{
	Datacatalog__CreateDatasetRequest *r = proto_new(&arena, datacatalog__create_dataset_request);
	r->dataset = proto_new(&arena, datacatalog__dataset);
	r->dataset->id = dataset_id(name);
	if (partition_key)
		proto_append(&arena, r->dataset->n_partitionkeys, r->dataset->partitionkeys,
		             arena_strdup(&arena, partition_key));
	return r;
}

static Datacatalog__ArtifactData *data_of(const char *name, int64_t value)
{
	Datacatalog__ArtifactData *data = proto_new(&arena, datacatalog__artifact_data);
	data->name = arena_strdup(&arena, name);
	data->value = proto_new(&arena, flyteidl__core__literal);
	data->value->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	data->value->scalar = proto_new(&arena, flyteidl__core__scalar);
	data->value->scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE;
	data->value->scalar->primitive = proto_new(&arena, flyteidl__core__primitive);
	data->value->scalar->primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER;
	data->value->scalar->primitive->integer = value;
	return data;
}

static Datacatalog__CreateArtifactRequest *new_artifact(const char *dataset, const char *id, int64_t value)
{
	Datacatalog__CreateArtifactRequest *r = proto_new(&arena, datacatalog__create_artifact_request);
	r->artifact = proto_new(&arena, datacatalog__artifact);
	r->artifact->dataset = dataset_id(dataset);
	r->artifact->id = arena_strdup(&arena, id);
	proto_append(&arena, r->artifact->n_data, r->artifact->data, data_of("o0", value));
	return r;
}

static void add_partition(Datacatalog__CreateArtifactRequest *r, const char *key, const char *value)
{
	Datacatalog__Partition *partition = proto_new(&arena, datacatalog__partition);
	partition->key = arena_strdup(&arena, key);
	partition->value = arena_strdup(&arena, value);
	proto_append(&arena, r->artifact->n_partitions, r->artifact->partitions, partition);
}

static Datacatalog__AddTagRequest *new_tag(const char *dataset, const char *name, const char *artifact_id)
{
	Datacatalog__AddTagRequest *r = proto_new(&arena, datacatalog__add_tag_request);
	r->tag = proto_new(&arena, datacatalog__tag);
	r->tag->dataset = dataset_id(dataset);
	r->tag->name = arena_strdup(&arena, name);
	r->tag->artifact_id = arena_strdup(&arena, artifact_id);
	return r;
}

static Datacatalog__GetArtifactRequest *by_tag(const char *dataset, const char *tag)
{
	Datacatalog__GetArtifactRequest *r = proto_new(&arena, datacatalog__get_artifact_request);
	r->dataset = dataset_id(dataset);
	r->query_handle_case = DATACATALOG__GET_ARTIFACT_REQUEST__QUERY_HANDLE_TAG_NAME;
	r->tag_name = arena_strdup(&arena, tag);
	return r;
}

static int64_t value_of(const Datacatalog__Artifact *artifact)
{
	assert_int_equal(artifact->n_data, 1);
	assert_string_equal(artifact->data[0]->name, "o0");
	return artifact->data[0]->value->scalar->primitive->integer;
}

/* ---- Tests ---- */

static void test_datasets(void **state)
{
	(void)state;
	succeed("CreateDataset", new_dataset("d", "date"));
	refuse("CreateDataset", new_dataset("d", NULL), ERR_EXISTS, "already exists");
	Datacatalog__GetDatasetRequest *get = proto_new(&arena, datacatalog__get_dataset_request);
	get->dataset = dataset_id("d");
	const Datacatalog__GetDatasetResponse *response = succeed("GetDataset", get);
	assert_string_equal(response->dataset->partitionkeys[0], "date");
	assert_int_equal(strlen(response->dataset->id->uuid), 36);
	get->dataset = dataset_id("other");
	refuse("GetDataset", get, ERR_NOT_FOUND,
	       "missing entity of type Dataset with identifier project:\"flytesnacks\" name:\"other\"");
	get->dataset->version = arena_strdup(&arena, "");
	refuse("GetDataset", get, ERR_INVALID, "missing version");
	get->dataset = NULL;
	refuse("GetDataset", get, ERR_INVALID, "missing dataset");
	refuse("CreateDataset", proto_new(&arena, datacatalog__create_dataset_request), ERR_INVALID, "missing dataset");
	Datacatalog__CreateDatasetRequest *twice = new_dataset("twice", "date");
	proto_append(&arena, twice->dataset->n_partitionkeys, twice->dataset->partitionkeys,
	             arena_strdup(&arena, "date"));
	refuse("CreateDataset", twice, ERR_INVALID, "invalid value for partitionKey, value:[Keys are not unique");
}

static void test_artifacts(void **state)
{
	(void)state;
	refuse("CreateArtifact", new_artifact("d", "a", 1), ERR_NOT_FOUND, "missing entity of type Dataset");
	succeed("CreateDataset", new_dataset("d", NULL));
	succeed("CreateArtifact", new_artifact("d", "a", 1));
	refuse("CreateArtifact", new_artifact("d", "a", 2), ERR_EXISTS, "already exists");
	refuse("GetArtifact", by_tag("d", "latest"), ERR_NOT_FOUND, "missing entity of type Tag");
	refuse("AddTag", new_tag("d", "latest", "nothing"), ERR_NOT_FOUND, "missing entity of type Artifact");
	succeed("AddTag", new_tag("d", "latest", "a"));
	refuse("AddTag", new_tag("d", "latest", "a"), ERR_EXISTS, "already exists");
	const Datacatalog__GetArtifactResponse *got = succeed("GetArtifact", by_tag("d", "latest"));
	assert_string_equal(got->artifact->id, "a");
	assert_int_equal(value_of(got->artifact), 1);
	assert_int_equal(got->artifact->n_tags, 1);
	assert_string_equal(got->artifact->tags[0]->name, "latest");
	assert_true(got->artifact->created_at->seconds > 1700000000);

	Datacatalog__UpdateArtifactRequest *update = proto_new(&arena, datacatalog__update_artifact_request);
	update->dataset = dataset_id("d");
	refuse("UpdateArtifact", update, ERR_INVALID, "missing one of artifactID/tagName");
	update->query_handle_case = DATACATALOG__UPDATE_ARTIFACT_REQUEST__QUERY_HANDLE_TAG_NAME;
	update->tag_name = arena_strdup(&arena, "latest");
	refuse("UpdateArtifact", update, ERR_INVALID, "missing artifactData");
	proto_append(&arena, update->n_data, update->data, data_of("o0", 5));
	const Datacatalog__UpdateArtifactResponse *updated = succeed("UpdateArtifact", update);
	assert_string_equal(updated->artifact_id, "a");
	got = succeed("GetArtifact", by_tag("d", "latest"));
	assert_int_equal(value_of(got->artifact), 5);
	assert_int_equal(got->artifact->n_tags, 1);
	update->tag_name = arena_strdup(&arena, "none");
	refuse("UpdateArtifact", update, ERR_NOT_FOUND, "missing entity of type Tag");
}

static void test_what_a_request_lacks(void **state)
{
	(void)state;
	succeed("CreateDataset", new_dataset("d", "date"));
	refuse("CreateArtifact", proto_new(&arena, datacatalog__create_artifact_request), ERR_INVALID,
	       "missing artifact");
	refuse("CreateArtifact", new_artifact("d", "", 1), ERR_INVALID, "missing artifactID");
	Datacatalog__CreateArtifactRequest *r = new_artifact("d", "a", 1);
	refuse("CreateArtifact", r, ERR_INVALID, "Partition key mismatch");
	add_partition(r, "place", "x");
	refuse("CreateArtifact", r, ERR_INVALID, "does not match dataset partition keys");
	r = new_artifact("d", "a", 1);
	add_partition(r, "date", "");
	refuse("CreateArtifact", r, ERR_INVALID, "missing partitionValue[0]");
	r->artifact->n_data = 0;
	refuse("CreateArtifact", r, ERR_INVALID, "missing artifactData");
	refuse("GetArtifact", proto_new(&arena, datacatalog__get_artifact_request), ERR_INVALID,
	       "missing one of artifactID/tagName");
	refuse("GetArtifact", by_tag("d", ""), ERR_INVALID, "missing tagName");
	refuse("AddTag", proto_new(&arena, datacatalog__add_tag_request), ERR_INVALID, "missing tag");
	refuse("AddTag", new_tag("d", "", "a"), ERR_INVALID, "missing tagName");
	refuse("GetOrExtendReservation", proto_new(&arena, datacatalog__get_or_extend_reservation_request), ERR_INVALID,
	       "missing reservationID");
	refuse("ReleaseReservation", proto_new(&arena, datacatalog__release_reservation_request), ERR_INVALID,
	       "missing reservationID");
}

static Datacatalog__SinglePropertyFilter *add_filter(Datacatalog__FilterExpression **filter)
{
	Datacatalog__SinglePropertyFilter *single = proto_new(&arena, datacatalog__single_property_filter);
	if (!*filter)
		*filter = proto_new(&arena, datacatalog__filter_expression);
	proto_append(&arena, (*filter)->n_filters, (*filter)->filters, single);
	return single;
}

static void test_lists(void **state)
{
	(void)state;
	succeed("CreateDataset", new_dataset("d", "date"));
	succeed("CreateDataset", new_dataset("e", NULL));
	for (int i = 0; i < 5; i++) {
		Datacatalog__CreateArtifactRequest *r = new_artifact("d", arena_printf(&arena, "a%d", i), i);
		add_partition(r, "date", i % 2 ? "odd" : "even");
		succeed("CreateArtifact", r);
	}
	succeed("AddTag", new_tag("d", "third", "a3"));
	Datacatalog__ListArtifactsRequest *list = proto_new(&arena, datacatalog__list_artifacts_request);
	list->dataset = dataset_id("d");
	list->pagination = proto_new(&arena, datacatalog__pagination_options);
	list->pagination->limit = 2;
	list->pagination->sortorder = DATACATALOG__PAGINATION_OPTIONS__SORT_ORDER__ASCENDING;
	char *seen = arena_strdup(&arena, "");
	for (int pages = 0;; pages++) {
		const Datacatalog__ListArtifactsResponse *page = succeed("ListArtifacts", list);
		for (size_t i = 0; i < page->n_artifacts; i++)
			seen = arena_printf(&arena, "%s%lld", seen, (long long)value_of(page->artifacts[i]));
		assert_true(pages < 5);
		if (!*page->next_token)
			break;
		list->pagination->token = page->next_token;
	}
	assert_string_equal(seen, "01234");

	list->pagination = NULL;
	Datacatalog__SinglePropertyFilter *filter = add_filter(&list->filter);
	filter->property_filter_case = DATACATALOG__SINGLE_PROPERTY_FILTER__PROPERTY_FILTER_PARTITION_FILTER;
	filter->partition_filter = proto_new(&arena, datacatalog__partition_property_filter);
	filter->partition_filter->property_case = DATACATALOG__PARTITION_PROPERTY_FILTER__PROPERTY_KEY_VAL;
	filter->partition_filter->key_val = proto_new(&arena, datacatalog__key_value_pair);
	filter->partition_filter->key_val->key = arena_strdup(&arena, "date");
	filter->partition_filter->key_val->value = arena_strdup(&arena, "odd");
	assert_int_equal(((Datacatalog__ListArtifactsResponse *)succeed("ListArtifacts", list))->n_artifacts, 2);
	filter = add_filter(&list->filter);
	filter->property_filter_case = DATACATALOG__SINGLE_PROPERTY_FILTER__PROPERTY_FILTER_TAG_FILTER;
	filter->tag_filter = proto_new(&arena, datacatalog__tag_property_filter);
	filter->tag_filter->property_case = DATACATALOG__TAG_PROPERTY_FILTER__PROPERTY_TAG_NAME;
	filter->tag_filter->tag_name = arena_strdup(&arena, "third");
	assert_int_equal(((Datacatalog__ListArtifactsResponse *)succeed("ListArtifacts", list))->n_artifacts, 1);
	filter->tag_filter->tag_name = arena_strdup(&arena, "' or true --");
	assert_int_equal(((Datacatalog__ListArtifactsResponse *)succeed("ListArtifacts", list))->n_artifacts, 0);
	filter = add_filter(&list->filter);
	filter->property_filter_case = DATACATALOG__SINGLE_PROPERTY_FILTER__PROPERTY_FILTER_DATASET_FILTER;
	filter->dataset_filter = proto_new(&arena, datacatalog__dataset_property_filter);
	refuse("ListArtifacts", list, ERR_INVALID, "Artifact cannot be filtered by Dataset properties");

	Datacatalog__ListDatasetsRequest *datasets = proto_new(&arena, datacatalog__list_datasets_request);
	assert_int_equal(((Datacatalog__ListDatasetsResponse *)succeed("ListDatasets", datasets))->n_datasets, 2);
	filter = add_filter(&datasets->filter);
	filter->property_filter_case = DATACATALOG__SINGLE_PROPERTY_FILTER__PROPERTY_FILTER_DATASET_FILTER;
	filter->dataset_filter = proto_new(&arena, datacatalog__dataset_property_filter);
	filter->dataset_filter->property_case = DATACATALOG__DATASET_PROPERTY_FILTER__PROPERTY_NAME;
	filter->dataset_filter->name = arena_strdup(&arena, "e");
	assert_int_equal(((Datacatalog__ListDatasetsResponse *)succeed("ListDatasets", datasets))->n_datasets, 1);
	datasets->pagination = proto_new(&arena, datacatalog__pagination_options);
	datasets->pagination->token = arena_strdup(&arena, "x");
	refuse("ListDatasets", datasets, ERR_INVALID, "Invalid token value: x");
}

static Datacatalog__GetOrExtendReservationRequest *reservation(const char *owner)
{
	Datacatalog__GetOrExtendReservationRequest *r =
	        proto_new(&arena, datacatalog__get_or_extend_reservation_request);
	r->reservation_id = proto_new(&arena, datacatalog__reservation_id);
	r->reservation_id->dataset_id = dataset_id("d");
	r->reservation_id->tag_name = arena_strdup(&arena, "t");
	r->owner_id = arena_strdup(&arena, owner);
	return r;
}

static const char *holder(const char *asks)
{
	const Datacatalog__GetOrExtendReservationResponse *response =
	        succeed("GetOrExtendReservation", reservation(asks));
	const int64_t left = response->reservation->expires_at->seconds - clock_wall_ns() / 1000000000;
	assert_true(left > 20 && left <= 31); /* three heartbeats of ten seconds */
	return response->reservation->owner_id;
}

static void release(const char *owner)
{
	Datacatalog__ReleaseReservationRequest *r = proto_new(&arena, datacatalog__release_reservation_request);
	r->reservation_id = reservation(owner)->reservation_id;
	r->owner_id = arena_strdup(&arena, owner);
	succeed("ReleaseReservation", r);
}

static void test_reservations(void **state)
{
	(void)state;
	assert_string_equal(holder("one"), "one");
	assert_string_equal(holder("other"), "one");
	assert_string_equal(holder("one"), "one");
	release("other"); /* which has none */
	assert_string_equal(holder("other"), "one");
	release("one");
	assert_string_equal(holder("other"), "other");
	run("update catalog_reservations set expires_at = now() - interval '1 second'");
	assert_string_equal(holder("one"), "one");

	/* A node's is nobody else's to take or to give back. */
	run("update catalog_reservations set execution_id = 1, node_id = 'n0', owner_id = 'e-n0-0', expires_at = null");
	assert_string_equal(holder("one"), "e-n0-0");
	assert_string_equal(holder("e-n0-0"), "e-n0-0");
	release("e-n0-0");
	assert_string_equal(holder("one"), "e-n0-0");

	Datacatalog__GetOrExtendReservationRequest *r = reservation("x");
	r->reservation_id->tag_name = arena_strdup(&arena, "short");
	r->heartbeat_interval = proto_new(&arena, google__protobuf__duration);
	r->heartbeat_interval->seconds = 2;
	const Datacatalog__GetOrExtendReservationResponse *response = succeed("GetOrExtendReservation", r);
	assert_int_equal(response->reservation->heartbeat_interval->seconds, 2);
	assert_true(response->reservation->expires_at->seconds - clock_wall_ns() / 1000000000 <= 6);
}

/* A client gives back what a node waits for: its execution is told. */
static void test_nodes_wait_for_clients(void **state)
{
	(void)state;
	holder("one");
	run("insert into catalog_waiters (project, domain, name, version, tag, execution_id, node_id)"
	    " values ('flytesnacks', 'development', 'd', '1', 't', 4711, 'n0')");
	PGconn *listener = PQconnectdb(url);
	PQclear(PQexec(listener, "listen flyte_engine"));
	release("one");
	const int64_t deadline = clock_monotonic_ms() + 60000;
	PGnotify *notify = NULL;
	while (PQconsumeInput(listener) && !(notify = PQnotifies(listener))) {
		struct pollfd fd = { .fd = PQsocket(listener), .events = POLLIN };
		if (poll(&fd, 1, clock_poll_timeout(deadline)) <= 0)
			fail_msg("the execution is not told");
	}
	assert_non_null(notify);
	assert_string_equal(notify->extra, "4711");
	PQfreemem(notify);
	PQfinish(listener);
}

/* What the engine keeps only by its address is complete for clients. */
static void test_data_in_the_object_store(void **state)
{
	(void)state;
	succeed("CreateDataset", new_dataset("d", NULL));
	succeed("CreateArtifact", new_artifact("d", "a", 1));
	succeed("AddTag", new_tag("d", "t", "a"));
	Flyteidl__Core__LiteralMap *map = proto_new(&arena, flyteidl__core__literal_map);
	Flyteidl__Core__LiteralMap__LiteralsEntry *entry = (Flyteidl__Core__LiteralMap__LiteralsEntry *)proto_new_of(
	        &arena, &flyteidl__core__literal_map__literals_entry__descriptor);
	entry->key = arena_strdup(&arena, "o0");
	entry->value = data_of("o0", 99)->value;
	proto_append(&arena, map->n_literals, map->literals, entry);
	const struct proto_bytes bytes = proto_pack(&arena, &map->base);
	fake_objects_put(store, "/my-s3-bucket/outputs.pb", bytes.data, bytes.length);
	run("update catalog_artifacts set message = '', outputs_uri = 's3://my-s3-bucket/outputs.pb'");
	const Datacatalog__GetArtifactResponse *got = succeed("GetArtifact", by_tag("d", "t"));
	assert_int_equal(value_of(got->artifact), 99);
}

/* ---- Frame ---- */

static int start(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	if (postgres_start(&postgres, &e) < 0) {
		fprintf(stderr, "%s\n", err_message(&e));
		exit(e.kind == ERR_NOT_FOUND ? POSTGRES_SKIP : 1);
	}
	url = postgres_create_database(postgres, "catalog");
	store = fake_objects_start();
	config = api_config_default;
	const struct objects_options options = { .endpoint = fake_objects_endpoint(store),
		                                 .access_key = "minio",
		                                 .secret_key = "miniostorage",
		                                 .region = "us-east-1" };
	api = (struct api){ .database = database_new(url, 2), .objects = objects_new(&options), .config = &config };
	call = (struct rpc_call){ .arena = &arena,
		                  .request_id = "test",
		                  .peer_address = "127.0.0.1",
		                  .authority = "",
		                  .deadline_ms = CLOCK_NEVER };
	if (database_migrate(api.database, clock_monotonic_ms() + 60000, &e) < 0)
		fail_msg("%s", err_message(&e));
	return 0;
}

static int reset(void **state)
{
	(void)state;
	run("truncate catalog_datasets, catalog_reservations, catalog_waiters cascade");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	database_free(api.database);
	objects_free(api.objects);
	fake_objects_stop(store);
	postgres_stop(postgres);
	free(url);
	arena_release(&arena);
	return 0;
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup(function, reset)
	const struct CMUnitTest tests[] = {
		TEST(test_datasets),
		TEST(test_artifacts),
		TEST(test_what_a_request_lacks),
		TEST(test_lists),
		TEST(test_reservations),
		TEST(test_nodes_wait_for_clients),
		TEST(test_data_in_the_object_store),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
