/* What a device need not do itself; see device.h. */
#include "device/device.h"

#define STEP (64u << 10)

void device_discard(struct device *dev, struct daddr at, u64 size)
{
	if (dev->discard)
		dev->discard(dev, at, size);
}

int device_zero(struct device *dev, struct daddr at, u64 size)
{
	static const u8 zeroes[STEP];
	int err = 0;

	if (!size || (dev->zero && !dev->zero(dev, at, size)))
		return 0;
	while (size && !err) {
		u64 step = min_u64(size, STEP);

		err = device_write(dev, at, zeroes, (size_t)step);
		at.v += step;
		size -= step;
	}
	return err;
}
