/*
 * What there is to damage, whether the images at hand have it or not: every field of every part
 * that the descriptors and the items of the log say there can be.
 */
#ifndef MENDFS_TESTS_KINDS_H
#define MENDFS_TESTS_KINDS_H

/* Prints TYPE.PART.FIELD for each, and TYPE:KIND for each kind of object that the campaign tells
 * apart; one a line. */
void kinds_print(void);

#endif
