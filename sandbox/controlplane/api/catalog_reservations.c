/* Reservations of clients end by themselves when three heartbeats in a row are missing. */
#include "controlplane/api/catalog.h"

#include "controlplane/launch/ids.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define HEARTBEAT_MAXIMUM_NS (10 * NS_PER_SECOND)
#define GRACE_HEARTBEATS 3

static int read_key(const Datacatalog__ReservationID *id, const char *owner_id, struct catalog_key *ret_key,
                    struct err *e)
{
	if (!id)
		return ids_require(NULL, "reservationID", e);
	if (catalog_require_dataset_id(id->dataset_id, e) < 0 || ids_require(id->tag_name, "tagName", e) < 0 ||
	    ids_require(owner_id, "ownerID", e) < 0)
		return -1;
	const Datacatalog__DatasetID *dataset = id->dataset_id;
	*ret_key = (struct catalog_key){ dataset->project, dataset->domain, dataset->name, dataset->version,
		                         id->tag_name };
	return 0;
}

/* What was asked for, but not more than the maximum, which is also what applies when nothing sensible was. */
static int64_t heartbeat_of(const Google__Protobuf__Duration *asked)
{
	if (!asked || asked->seconds < 0 || asked->nanos < 0 || asked->seconds >= HEARTBEAT_MAXIMUM_NS / NS_PER_SECOND)
		return HEARTBEAT_MAXIMUM_NS;
	const int64_t ns = asked->seconds * NS_PER_SECOND + asked->nanos;
	return ns > 0 && ns < HEARTBEAT_MAXIMUM_NS ? ns : HEARTBEAT_MAXIMUM_NS;
}

CATALOG_HANDLER(catalog_reservation_get_or_extend)
{
	const Datacatalog__GetOrExtendReservationRequest *r =
	        (const Datacatalog__GetOrExtendReservationRequest *)message;
	auto_connection struct database_connection *c = NULL;
	const int64_t heartbeat = heartbeat_of(r->heartbeat_interval);
	struct catalog_reservation reservation;
	struct catalog_key key;
	if (read_key(r->reservation_id, r->owner_id, &key, e) < 0 || api_connect(context, call, &c, e) < 0 ||
	    catalog_reserve_for_client(c, call->arena, &key, r->owner_id, heartbeat, GRACE_HEARTBEATS * heartbeat,
	                               &reservation, e) < 0)
		return NULL;
	Datacatalog__GetOrExtendReservationResponse *response =
	        proto_new(call->arena, datacatalog__get_or_extend_reservation_response);
	Datacatalog__Reservation *answer = response->reservation = proto_new(call->arena, datacatalog__reservation);
	answer->reservation_id = r->reservation_id;
	answer->owner_id = arena_strdup(call->arena, reservation.owner_id);
	answer->heartbeat_interval = proto_new(call->arena, google__protobuf__duration);
	answer->heartbeat_interval->seconds = heartbeat / NS_PER_SECOND;
	answer->heartbeat_interval->nanos = (int32_t)(heartbeat % NS_PER_SECOND);
	answer->expires_at = api_timestamp(call->arena, reservation.expires_at_ns);
	return &response->base;
}

CATALOG_HANDLER(catalog_reservation_release)
{
	const Datacatalog__ReleaseReservationRequest *r = (const Datacatalog__ReleaseReservationRequest *)message;
	auto_connection struct database_connection *c = NULL;
	struct catalog_key key;
	if (read_key(r->reservation_id, r->owner_id, &key, e) < 0 || api_connect(context, call, &c, e) < 0 ||
	    catalog_release_for_client(c, call->arena, &key, r->owner_id, e) < 0)
		return NULL;
	return &proto_new(call->arena, datacatalog__release_reservation_response)->base;
}
