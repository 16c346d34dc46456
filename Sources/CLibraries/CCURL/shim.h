// libcurl: HTTP to other services (used by Networking/HTTPClient).
#pragma once
#include <curl/curl.h>
#include <stdbool.h>

// curl_easy_setopt, curl_easy_getinfo and curl_multi_setopt are variadic, which Swift does not see. The macros that check
// the types of their arguments in C would not survive the wrapping either, hence one function a type.
static inline CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value) {
    return (curl_easy_setopt)(easy, option, value);
}
static inline CURLcode ccurl_set_text(CURL *easy, CURLoption option, const char *text) {
    return (curl_easy_setopt)(easy, option, text);
}
static inline CURLcode ccurl_set_headers(CURL *easy, struct curl_slist *headers) {
    return (curl_easy_setopt)(easy, CURLOPT_HTTPHEADER, headers);
}
static inline CURLcode ccurl_set_error_buffer(CURL *easy, char *buffer) {
    return (curl_easy_setopt)(easy, CURLOPT_ERRORBUFFER, buffer);
}
/// The body of a POST; libcurl makes a copy.
static inline CURLcode ccurl_set_body(CURL *easy, const void *bytes, size_t count) {
    CURLcode code = (curl_easy_setopt)(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
    return code != CURLE_OK ? code : (curl_easy_setopt)(easy, CURLOPT_COPYPOSTFIELDS, bytes);
}
static inline CURLcode ccurl_set_callbacks(
    CURL *easy, curl_write_callback header, curl_write_callback body, void *context) {
    (curl_easy_setopt)(easy, CURLOPT_HEADERFUNCTION, header);
    (curl_easy_setopt)(easy, CURLOPT_HEADERDATA, context);
    (curl_easy_setopt)(easy, CURLOPT_WRITEFUNCTION, body);
    return (curl_easy_setopt)(easy, CURLOPT_WRITEDATA, context);
}
static inline CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return (curl_multi_setopt)(multi, option, value);
}

/// Microseconds until the connection stood; 0 where it never did.
static inline curl_off_t ccurl_connect_time(CURL *easy) {
    curl_off_t time = 0;
    return (curl_easy_getinfo)(easy, CURLINFO_CONNECT_TIME_T, &time) == CURLE_OK ? time : 0;
}

/// The errno of the last connect() that failed; 0: none.
static inline int ccurl_system_error(CURL *easy) {
    long number = 0;
    return (curl_easy_getinfo)(easy, CURLINFO_OS_ERRNO, &number) == CURLE_OK ? (int)number : 0;
}

/// The next transfer that is over (the result is inside a union there); NULL: none.
static inline CURL *ccurl_next_done(CURLM *multi, CURLcode *result) {
    int left = 0;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        *result = message->data.result;
        return message->easy_handle;
    }
    return NULL;
}

enum {
    CCURL_GLOBAL_ALL = CURL_GLOBAL_ALL,
    /// What a callback answers to be called again later.
    CCURL_PAUSE = CURL_WRITEFUNC_PAUSE,
    CCURL_CONTINUE = CURLPAUSE_CONT,
    CCURL_ERROR_SIZE = CURL_ERROR_SIZE,
};
