#include "controlplane/admission/certificate.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <string.h>

#define DAYS 3650
#define SERIAL_BYTES 8

void certificate_release(struct certificate *certificate)
{
	free(certificate->certificate_pem);
	free(certificate->key_pem);
	*certificate = (struct certificate){ 0 };
}

static int failed(struct err *e)
{
	return err_set(e, ERR_INTERNAL, "certificate-failed", "OpenSSL cannot make a certificate");
}

static bool add_extension(X509 *x509, int kind, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
	const bool added = extension && X509_add_ext(x509, extension, -1);
	X509_EXTENSION_free(extension);
	return added;
}

static bool set_serial(X509 *x509)
{
	unsigned char bytes[SERIAL_BYTES];
	BIGNUM *number = RAND_bytes(bytes, sizeof(bytes)) == 1 ? BN_bin2bn(bytes, sizeof(bytes), NULL) : NULL;
	const bool done = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
	BN_free(number);
	return done;
}

static bool fill(X509 *x509, EVP_PKEY *key, const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];
	const bool is_ip = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
	auto_free char *names = xasprintf("%s:%s", is_ip ? "IP" : "DNS", host);
	X509_NAME *name = X509_get_subject_name(x509);
	return X509_set_version(x509, X509_VERSION_3) && set_serial(x509) &&
	       X509_gmtime_adj(X509_getm_notBefore(x509), -3600) &&
	       X509_time_adj_ex(X509_getm_notAfter(x509), DAYS, 0, NULL) && X509_set_pubkey(x509, key) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"flyte-admission", -1, -1,
	                                  0) &&
	       X509_set_issuer_name(x509, name) && add_extension(x509, NID_subject_alt_name, names) &&
	       add_extension(x509, NID_basic_constraints, "critical,CA:TRUE") &&
	       add_extension(x509, NID_ext_key_usage, "serverAuth") && X509_sign(x509, key, EVP_sha256());
}

static char *text_of(BIO *bio)
{
	char *bytes;
	const long length = BIO_get_mem_data(bio, &bytes);
	return xstrndup(bytes, (size_t)length);
}

static int write_pem(X509 *x509, EVP_PKEY *key, struct certificate *ret_certificate, struct err *e)
{
	BIO *certificate = BIO_new(BIO_s_mem()), *private_key = BIO_new(BIO_s_mem());
	const bool written = certificate && private_key && PEM_write_bio_X509(certificate, x509) &&
	                     PEM_write_bio_PrivateKey(private_key, key, NULL, NULL, 0, NULL, NULL);
	if (written)
		*ret_certificate = (struct certificate){ .certificate_pem = text_of(certificate),
			                                 .key_pem = text_of(private_key) };
	BIO_free(certificate);
	BIO_free(private_key);
	return written ? 0 : failed(e);
}

int certificate_make(const char *host, struct certificate *ret_certificate, struct err *e)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x509 = X509_new();
	const int outcome = key && x509 && fill(x509, key, host) ? write_pem(x509, key, ret_certificate, e) : failed(e);
	X509_free(x509);
	EVP_PKEY_free(key);
	return outcome;
}
